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

inline Mask operator<(Lanes a, Lanes b) { return {vcltq_f64(a.value, b.value)}; }
inline Mask operator==(Lanes a, Lanes b) { return {vceqq_f64(a.value, b.value)}; }
inline Lanes select(Mask mask, Lanes a, Lanes b) { return {vbslq_f64(mask.value, a.value, b.value)}; }

inline Bits bits_of(Lanes a) { return {vreinterpretq_u64_f64(a.value)}; }
inline Lanes from_bits(Bits a) { return {vreinterpretq_f64_u64(a.value)}; }
inline Bits broadcast_bits(uint64_t value) { return {vdupq_n_u64(value)}; }
inline Bits operator+(Bits a, Bits b) { return {vaddq_u64(a.value, b.value)}; }
inline Bits operator&(Bits a, Bits b) { return {vandq_u64(a.value, b.value)}; }
inline Bits operator|(Bits a, Bits b) { return {vorrq_u64(a.value, b.value)}; }
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
