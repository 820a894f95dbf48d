// Lanes of float64: the few operations that the kernels are written in, and what can be built from them.
//
// A file lanes_*.hpp gives, for one instruction set, inside namespace condensity::CONDENSITY_ISA::(unnamed):
//
//     isa_name, width                         its name; the number of lanes
//     Lanes, Mask, Bits                       numbers, truth values, 64-bit integers
//     load, store, broadcast                  memory need not be aligned
//     + − · /, square_root
//     larger(a, b), smaller(a, b)             b where either is NaN, in the manner of x86's maxpd
//     fused(a, b, c) = a·b + c                one rounding where the machine has it, two in `baseline`
//     a < b, a == b, select(mask, a, b)       false for NaN, as in IEEE 754; &, |, ! and any() on masks
//     bits_of, from_bits, broadcast_bits; + · (modulo 2⁶⁴), &, |, ^, shift_left<s>, shift_right<s> (logical) on Bits
//
// It is included first; then this header, math.hpp and the kernels, all in the same namespace.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

// |x|, also of NaN.
inline Lanes magnitude(Lanes x) { return from_bits(bits_of(x) & broadcast_bits(0x7fffffffffffffff)); }

inline Lanes operator-(Lanes x) { return from_bits(bits_of(x) ^ broadcast_bits(0x8000000000000000)); }

// x − x is 0 for finite x only.
inline Mask is_finite(Lanes x) { return (x - x) == broadcast(0.0); }

// c₀ + c₁x + … + c_d x^d for d ≥ 1, even and odd powers apart by Horner's rule, so that two chains run side by side.
template <size_t size>
inline Lanes polynomial(const double (&coefficients)[size], Lanes x) {
    const Lanes x2 = x * x;
    Lanes even = broadcast(coefficients[(size - 1) / 2 * 2]), odd = broadcast(coefficients[size / 2 * 2 - 1]);
    for (size_t i = (size - 1) / 2; i-- > 0;) even = fused(even, x2, broadcast(coefficients[2 * i]));
    for (size_t i = size / 2 - 1; i-- > 0;) odd = fused(odd, x2, broadcast(coefficients[2 * i + 1]));
    return fused(odd, x, even);
}

// round(x) to an integer for |x| < 2⁵¹: adding 1.5·2⁵² leaves no room for a fraction.
inline Lanes round_to_integer(Lanes x) {
    const Lanes magic = broadcast(6755399441055744.0);
    return (x + magic) - magic;
}

// 2ⁿ for an integer n in [−1022, 1023]. The low bits of 1.5·2⁵² + 1023 + n hold the exponent field; the shift drops the rest.
inline Lanes power_of_two(Lanes n) {
    return from_bits(shift_left<52>(bits_of(n + broadcast(6755399441055744.0 + 1023.0))));
}

// x·2ⁿ for an integer n in [−1078, 1025], in two exact steps, so that only the last one can round, to a subnormal.
inline Lanes times_power_of_two(Lanes x, Lanes n) {
    const Lanes half = round_to_integer(n * broadcast(0.5));
    return x * power_of_two(half) * power_of_two(n - half);
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
