// Four lanes of float32, for training only. See floats.hpp for the meaning.
#pragma once

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t float_width = 4;

struct Floats {
    float32x4_t value;
};

inline Floats load_floats(const float* source) { return {vld1q_f32(source)}; }
inline void store(float* target, Floats a) { vst1q_f32(target, a.value); }
inline Floats floats(float value) { return {vdupq_n_f32(value)}; }

inline Floats operator+(Floats a, Floats b) { return {vaddq_f32(a.value, b.value)}; }
inline Floats operator-(Floats a, Floats b) { return {vsubq_f32(a.value, b.value)}; }
inline Floats operator*(Floats a, Floats b) { return {vmulq_f32(a.value, b.value)}; }
inline Floats operator/(Floats a, Floats b) { return {vdivq_f32(a.value, b.value)}; }
inline Floats fused(Floats a, Floats b, Floats c) { return {vfmaq_f32(c.value, a.value, b.value)}; }
inline Floats square_root(Floats a) { return {vsqrtq_f32(a.value)}; }
inline Floats select_less(Floats a, Floats b, Floats yes, Floats no) {
    return {vbslq_f32(vcltq_f32(a.value, b.value), yes.value, no.value)};
}
inline Floats larger(Floats a, Floats b) { return select_less(b, a, a, b); }
inline Floats smaller(Floats a, Floats b) { return select_less(a, b, a, b); }

// Bits of a float as an integer, and back.
inline Floats add_bits(Floats a, uint32_t b) {
    return {vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(a.value), vdupq_n_u32(b)))};
}
inline Floats and_bits(Floats a, uint32_t b) {
    return {vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.value), vdupq_n_u32(b)))};
}
inline Floats or_bits(Floats a, uint32_t b) {
    return {vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(a.value), vdupq_n_u32(b)))};
}
template <int places>
inline Floats shift_bits_left(Floats a) {
    return {vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a.value), places))};
}
template <int places>
inline Floats shift_bits_right(Floats a) {
    return {vreinterpretq_f32_u32(vshrq_n_u32(vreinterpretq_u32_f32(a.value), places))};
}

// The sums of four vectors, always added in the same order.
inline void store_sums(float* target, Floats a, Floats b, Floats c, Floats d) {
    vst1q_f32(target, vpaddq_f32(vpaddq_f32(a.value, b.value), vpaddq_f32(c.value, d.value)));
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
