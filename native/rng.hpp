// Counter-based random numbers: word i of the stream `key` is SplitMix64's i-th output from that state (Steele, Lea and
// Flood, 2014), so any block can be computed by any thread, in any order. Twin of condensity/engines/reference/sampling.py.
#pragma once

#include "math.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr uint64_t golden_gamma = 0x9e3779b97f4a7c15;  // 2⁶⁴ divided by the golden ratio, odd

// The mixing function: Stafford's variant 13 of MurmurHash3's finaliser.
inline Bits mix(Bits z) {
    z = (z ^ shift_right<30>(z)) * broadcast_bits(0xbf58476d1ce4e5b9);
    z = (z ^ shift_right<27>(z)) * broadcast_bits(0x94d049bb133111eb);
    return z ^ shift_right<31>(z);
}

// The upper 52 bits as a multiple of 2⁻⁵² in [0, 1).
inline Lanes to_uniform(Bits word) {
    return from_bits(shift_right<12>(word) | broadcast_bits(0x3ff0000000000000)) - broadcast(1.0);
}

struct SineCosine {
    Lanes sine, cosine;
};

// sin 2πu and cos 2πu for 0 ≤ u < 1, within 2e-16. 4u = q + r with |r| ≤ ½; q says which of ±sin, ±cos of πr/2 is which.
inline SineCosine of_turns(Lanes u) {
    static constexpr double S[] = {0x1.921fb54442d18p+0,   -0x1.4abbce625be41p-1, 0x1.466bc677587f8p-4, -0x1.32d2cce2e5b19p-8,
                                   0x1.50782fda12d96p-13, -0x1.e30071afc3e59p-19, 0x1.e3f38399551bfp-25};
    static constexpr double C[] = {0x1.0000000000000p+0,   -0x1.3bd3cc9be45dep+0,  0x1.03c1f081b5aacp-2,  -0x1.55d3c7e3c90f8p-6,
                                   0x1.e1f5068355e15p-11, -0x1.a6d1ec7906c20p-16, 0x1.f9cc41140bb60p-22, -0x1.b264ba152378ap-28};
    const Lanes magic = broadcast(6755399441055744.0);  // 1.5·2⁵²: the low bits of x + magic are those of round(x)
    const Lanes four = u * broadcast(4.0);
    const Lanes shifted = four + magic;
    const Lanes r = four - (shifted - magic), r2 = r * r;
    const Lanes s = r * polynomial(S, r2), c = polynomial(C, r2);
    const Bits quadrant = bits_of(shifted);
    const Bits odd = quadrant & broadcast_bits(1), half = quadrant & broadcast_bits(2);
    // Bit 62 alone is the number 2.
    const Mask swap = broadcast(0.5) < from_bits(shift_left<62>(odd));
    const Bits sine_sign = shift_left<62>(half);
    const Bits cosine_sign = shift_left<62>(half ^ shift_left<1>(odd));
    return {from_bits(bits_of(select(swap, c, s)) ^ sine_sign), from_bits(bits_of(select(swap, s, c)) ^ cosine_sign)};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
