// Elementary functions of lanes, in float64. Coefficients: native/tests/derive_coefficients.py.
#pragma once

#include "simd.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr double infinity = __builtin_huge_val();
constexpr double log2_of_e = 1.4426950408889634;
constexpr double ln2_high = 0.6931471804855391;      // 33 bits, so n·ln2_high is exact for |n| < 2²⁰
constexpr double ln2_low = 7.440617110012397e-11;    // ln 2 − ln2_high
constexpr double half_log_2pi = 0.9189385332046727;  // ½ log 2π

// e^x, within 1.1 ulp (subnormal results rounded once more); 0 below −745.13, +inf above 709.78, NaN stays NaN.
//
// x = n ln 2 + r with |r| ≤ ½ ln 2, e^x = 2ⁿ e^r, e^r = 1 + r + r² q(r); q errs by less than 1.3e-17 in e^r.
inline Lanes exponential(Lanes x) {
    static constexpr double q[] = {
        0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
        0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13, 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
        0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26,
    };
    // NaN passes both. Outside these bounds the result is 0 or inf already.
    const Lanes bounded = smaller(broadcast(710.0), larger(broadcast(-746.0), x));
    const Lanes n = round_to_integer(bounded * broadcast(log2_of_e));
    const Lanes r = fused(n, broadcast(-ln2_low), fused(n, broadcast(-ln2_high), bounded));
    const Lanes mantissa = broadcast(1.0) + fused(r * r, polynomial(q, r), r);
    return times_power_of_two(mantissa, n);
}

// log x, within 1 ulp; −inf at ±0, NaN below 0, +inf at +inf; subnormals are treated exactly.
//
// x = 2ᵉ m with √½ ≤ m < √2 and s = (m − 1)/(m + 1): log x = e ln 2 + 2 artanh s = e ln 2 + 2s + s·s² L(s²).
// As f = m − 1 is exact and 2s = f − s f, the sum below rounds only in terms that are small against f.
inline Lanes logarithm(Lanes x) {
    static constexpr double L[] = {
        0x1.5555555555558p-1, 0x1.99999999952d7p-2, 0x1.2492492df281ap-2, 0x1.c71c62e3f11e6p-3,
        0x1.7462b51cb66b1p-3, 0x1.39fe51a7c18f9p-3, 0x1.2b5900de53b32p-3,
    };
    constexpr uint64_t one = 0x3ff0000000000000, root_half = 0x3fe6a09e667f3bcd, fraction = 0x000fffffffffffff;
    const Mask subnormal = x < broadcast(0x1p-1022);
    const Lanes scaled = select(subnormal, x * broadcast(0x1p54), x);
    const Bits shifted = bits_of(scaled) + broadcast_bits(one - root_half);
    // The biased exponent as the low bits of 2⁵²: reading it as a double and subtracting 2⁵² + bias converts it.
    const Bits biased = shift_right<52>(shifted) | broadcast_bits(0x4330000000000000);
    const Lanes offset = select(subnormal, broadcast(0x1p52 + 1023.0 + 54.0), broadcast(0x1p52 + 1023.0));
    const Lanes e = from_bits(biased) - offset;
    const Lanes m = from_bits((shifted & broadcast_bits(fraction)) + broadcast_bits(root_half));

    const Lanes f = m - broadcast(1.0);
    const Lanes s = f / (f + broadcast(2.0));
    const Lanes s2 = s * s;
    const Lanes half_square = f * f * broadcast(0.5);
    // log m = f − (½f² − s(½f² + s² L)), since f − s f = 2s and s(½f²) = ½f²·s.
    const Lanes correction = fused(s, fused(s2, polynomial(L, s2), half_square), e * broadcast(ln2_low));
    const Lanes value = fused(e, broadcast(ln2_high), f - (half_square - correction));

    const Lanes zero = broadcast(0.0);
    const Lanes below = select(x == zero, broadcast(-infinity), broadcast(infinity) - broadcast(infinity));
    const Lanes regular = select(x < broadcast(infinity), value, x);  // +inf and NaN are their own logarithm
    return select(zero < x, regular, select(is_finite(x), below, x - x));
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
