// Lanes of float32, in which networks are trained, and their elementary functions. Nothing here is seen by a user as a number:
// predictions are float64.
//
// A file floats_*.hpp gives, for one instruction set: float_width, Floats; load_floats, store, floats(value); + − · /;
// fused(a, b, c) = a·b + c; square_root, larger, smaller (the second where either is NaN); select_less(a, b, yes, no) = a < b ?
// yes : no; add_bits, and_bits, or_bits, shift_bits_left<s>, shift_bits_right<s>; store_sums(target, a, b, c, d), four sums over lanes.
// Coefficients: native/tests/derive_float_coefficients.py.
#pragma once

#include "simd.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t float_width_max = 16;

inline Floats operator-(Floats a) { return floats(0.0f) - a; }
inline Floats magnitude(Floats a) { return and_bits(a, 0x7fffffffu); }

template <size_t size>
inline Floats polynomial(const float (&coefficients)[size], Floats x) {
    Floats value = floats(coefficients[size - 1]);
    for (size_t i = size - 1; i-- > 0;) value = fused(value, x, floats(coefficients[i]));
    return value;
}

// e^x, relative error 1e-7; e^−87 below −87, e^88 above 88, so that neither 0 nor inf comes up; NaN stays NaN.
inline Floats exponential(Floats x) {
    static constexpr float q[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23cep-10f};
    const Floats bounded = smaller(floats(88.0f), larger(floats(-87.0f), x));
    const Floats shifted = fused(bounded, floats(1.44269504f), floats(12582912.0f));  // 1.5·2²³: its low bits are round(x/ln 2)
    const Floats n = shifted - floats(12582912.0f);
    const Floats r = fused(n, floats(-1.42860677e-6f), fused(n, floats(-0.693145752f), bounded));
    const Floats mantissa = fused(r * r, polynomial(q, r), r) + floats(1.0f);
    return mantissa * shift_bits_left<23>(add_bits(shifted, 127));
}

// log x for a normal x > 0, absolute error 1e-7 near 1, relative 1e-7 elsewhere; NaN for inf and NaN.
inline Floats logarithm(Floats x) {
    static constexpr float series[] = {0x1.55557ap-1f, 0x1.995eb8p-2f, 0x1.31e32p-2f};
    constexpr uint32_t one = 0x3f800000u, root_half = 0x3f3504f3u;
    const Floats shifted = add_bits(x, one - root_half);
    // The biased exponent as the low bits of 2²³: reading it as a float and subtracting 2²³ + bias converts it.
    const Floats e = or_bits(shift_bits_right<23>(shifted), 0x4b000000u) - floats(8388608.0f + 127.0f);
    const Floats m = add_bits(and_bits(shifted, 0x007fffffu), root_half);
    const Floats f = m - floats(1.0f);
    const Floats s = f / (f + floats(2.0f));
    const Floats s2 = s * s;
    const Floats log_m = fused(s * s2, polynomial(series, s2), s + s);
    return fused(e, floats(0.693147182f), log_m) + (x - x);  // the bits of a NaN look like a number's
}

// tanh x, relative error 3e-7: x P(x²)/Q(x²), 1 from 9 on.
inline Floats hyperbolic_tangent(Floats x) {
    static constexpr float P[] = {1.0f, 0x1.120b0ep-3f, 0x1.ca2c0cp-9f, 0x1.59c272p-16f, 0x1.cada52p-27f};
    static constexpr float Q[] = {1.0f, 0x1.de5adp-2f, 0x1.a7f7bap-6f, 0x1.588588p-12f, 0x1.a17e96p-21f};
    const Floats bounded = larger(floats(-9.0f), smaller(floats(9.0f), x));  // NaN passes both
    const Floats square = bounded * bounded;
    return bounded * polynomial(P, square) / polynomial(Q, square);
}

// 1 / (1 + e^−x).
inline Floats logistic(Floats x) { return floats(1.0f) / (floats(1.0f) + exponential(-x)); }

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
