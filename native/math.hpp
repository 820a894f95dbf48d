// Elementary functions of lanes, in float64. Coefficients: native/tests/derive_coefficients.py.
#pragma once

#include "simd.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr double infinity = __builtin_huge_val();
constexpr double log2_of_e = 1.4426950408889634;
constexpr double ln2_high = 0.6931471804855391;      // 33 bits, so n·ln2_high is exact for |n| < 2²⁰
constexpr double ln2_low = 7.440617110012397e-11;    // ln 2 − ln2_high

// e^x = 2ⁿ e^r with r = x − n ln 2, |r| ≤ ½ ln 2, and e^r = 1 + r + r² q(r); q errs by less than 1.3e-17 in e^r.
struct Exponential {
    Lanes n, mantissa;
};

inline Exponential reduced_exponential(Lanes x) {
    static constexpr double q[] = {
        0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
        0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13, 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
        0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26,
    };
    const Lanes n = round_to_integer(x * broadcast(log2_of_e));
    const Lanes r = fused(n, broadcast(-ln2_low), fused(n, broadcast(-ln2_high), x));
    return {n, broadcast(1.0) + fused(r * r, polynomial(q, r), r)};
}

// e^x, within 1.1 ulp (subnormal results rounded once more); 0 below −745.13, +inf above 709.78, NaN stays NaN.
inline Lanes exponential(Lanes x) {
    // NaN passes both. Outside these bounds the result is 0 or inf already.
    const Exponential e = reduced_exponential(smaller(broadcast(710.0), larger(broadcast(-746.0), x)));
    return times_power_of_two(e.mantissa, e.n);
}

// e^x for x ≤ 709, within 1.1 ulp; 0 below `least` ≥ −708, NaN stays NaN. A quarter cheaper, for sums in which such terms are lost
// anyway.
inline Lanes exponential_or_zero(Lanes x, double least = -708.0) {
    const Exponential e = reduced_exponential(x);
    return select(x < broadcast(least), broadcast(0.0), e.mantissa * power_of_two(e.n));
}

// What an exponent field that is read as the low bits of 2⁵² must lose to become the exponent.
constexpr double exponent_bias = 0x1p52 + 1023.0;

// 2ᵉ m = x for a normal x > 0, √½ ≤ m < √2. With a bias that is larger by n, for x·2⁻ⁿ.
struct Binary {
    Lanes e, m;
};

inline Binary split(Lanes x, Lanes bias) {
    constexpr uint64_t one = 0x3ff0000000000000, root_half = 0x3fe6a09e667f3bcd, fraction = 0x000fffffffffffff;
    const Bits shifted = bits_of(x) + broadcast_bits(one - root_half);
    return {from_bits(shift_right<52>(shifted) | broadcast_bits(0x4330000000000000)) - bias,
            from_bits((shifted & broadcast_bits(fraction)) + broadcast_bits(root_half))};
}

// The same for every x > 0, subnormal or not.
inline Binary split(Lanes x) {
    const Mask subnormal = x < broadcast(0x1p-1022);
    return split(select(subnormal, x * broadcast(0x1p54), x),
                 select(subnormal, broadcast(exponent_bias + 54.0), broadcast(exponent_bias)));
}

// log(2ᵉ m) for √½ ≤ m < √2, within 1 ulp.
//
// With s = (m − 1)/(m + 1): e ln 2 + 2 artanh s = e ln 2 + 2s + s·s² L(s²). As f = m − 1 is exact and 2s = f − s f, the sum
// below rounds only in terms that are small against f.
inline Lanes logarithm(Binary x) {
    static constexpr double L[] = {
        0x1.5555555555558p-1, 0x1.99999999952d7p-2, 0x1.2492492df281ap-2, 0x1.c71c62e3f11e6p-3,
        0x1.7462b51cb66b1p-3, 0x1.39fe51a7c18f9p-3, 0x1.2b5900de53b32p-3,
    };
    const Lanes f = x.m - broadcast(1.0);
    const Lanes s = f / (f + broadcast(2.0));
    const Lanes s2 = s * s;
    const Lanes half_square = f * f * broadcast(0.5);
    // log m = f − (½f² − s(½f² + s² L)), since f − s f = 2s and s(½f²) = ½f²·s.
    const Lanes correction = fused(s, fused(s2, polynomial(L, s2), half_square), x.e * broadcast(ln2_low));
    return fused(x.e, broadcast(ln2_high), f - (half_square - correction));
}

// log x for a normal x > 0, within 1 ulp.
inline Lanes logarithm_of_normal(Lanes x) { return logarithm(split(x, broadcast(exponent_bias))); }

// log x for every x, within 1 ulp; −inf at ±0, NaN below 0, +inf at +inf.
inline Lanes logarithm(Lanes x) {
    const Lanes zero = broadcast(0.0), value = logarithm(split(x));
    const Lanes below = select(x == zero, broadcast(-infinity), broadcast(infinity) - broadcast(infinity));
    const Lanes regular = select(x < broadcast(infinity), value, x);  // +inf and NaN are their own logarithm
    return select(zero < x, regular, select(is_finite(x), below, x - x));
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
