// Two lanes: NEON on arm64, where it is always present. See simd.hpp for the meaning.
#pragma once

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr const char* isa_name = "neon";
constexpr size_t width = 2;

struct Lanes {
    float64x2_t value;
};
struct Mask {
    uint64x2_t value;
};
struct Bits {
    uint64x2_t value;
};

inline Lanes load(const double* source) { return {vld1q_f64(source)}; }
inline void store(double* target, Lanes a) { vst1q_f64(target, a.value); }
inline Lanes broadcast(double value) { return {vdupq_n_f64(value)}; }

inline Lanes operator+(Lanes a, Lanes b) { return {vaddq_f64(a.value, b.value)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {vsubq_f64(a.value, b.value)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {vmulq_f64(a.value, b.value)}; }
inline Lanes operator/(Lanes a, Lanes b) { return {vdivq_f64(a.value, b.value)}; }
inline Lanes fused(Lanes a, Lanes b, Lanes c) { return {vfmaq_f64(c.value, a.value, b.value)}; }
inline Lanes square_root(Lanes a) { return {vsqrtq_f64(a.value)}; }

inline Mask operator<(Lanes a, Lanes b) { return {vcltq_f64(a.value, b.value)}; }
inline Mask operator==(Lanes a, Lanes b) { return {vceqq_f64(a.value, b.value)}; }
inline Mask operator&(Mask a, Mask b) { return {vandq_u64(a.value, b.value)}; }
inline Mask operator|(Mask a, Mask b) { return {vorrq_u64(a.value, b.value)}; }
inline Mask operator!(Mask a) { return {veorq_u64(a.value, vdupq_n_u64(~uint64_t{0}))}; }
inline bool any(Mask mask) { return (vgetq_lane_u64(mask.value, 0) | vgetq_lane_u64(mask.value, 1)) != 0; }
inline Lanes select(Mask mask, Lanes a, Lanes b) { return {vbslq_f64(mask.value, a.value, b.value)}; }
inline Lanes larger(Lanes a, Lanes b) { return select(b < a, a, b); }
inline Lanes smaller(Lanes a, Lanes b) { return select(a < b, a, b); }

inline Bits bits_of(Lanes a) { return {vreinterpretq_u64_f64(a.value)}; }
inline Lanes from_bits(Bits a) { return {vreinterpretq_f64_u64(a.value)}; }
inline Bits broadcast_bits(uint64_t value) { return {vdupq_n_u64(value)}; }
inline Bits operator+(Bits a, Bits b) { return {vaddq_u64(a.value, b.value)}; }
inline Bits operator&(Bits a, Bits b) { return {vandq_u64(a.value, b.value)}; }
inline Bits operator|(Bits a, Bits b) { return {vorrq_u64(a.value, b.value)}; }
inline Bits operator^(Bits a, Bits b) { return {veorq_u64(a.value, b.value)}; }
// Modulo 2⁶⁴, from 32-bit halves: low·low + ((high·low + low·high) << 32).
inline Bits operator*(Bits a, Bits b) {
    const uint32x2_t a_low = vmovn_u64(a.value), b_low = vmovn_u64(b.value);
    const uint64x2_t crossed = vaddq_u64(vmull_u32(vshrn_n_u64(a.value, 32), b_low),
                                         vmull_u32(a_low, vshrn_n_u64(b.value, 32)));
    return {vaddq_u64(vmull_u32(a_low, b_low), vshlq_n_u64(crossed, 32))};
}
template <int places>
inline Bits shift_left(Bits a) {
    return {vshlq_n_u64(a.value, places)};
}
template <int places>
inline Bits shift_right(Bits a) {
    return {vshrq_n_u64(a.value, places)};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
