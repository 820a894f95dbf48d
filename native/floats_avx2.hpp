// Eight lanes of float32, for training only. See floats.hpp for the meaning.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t float_width = 8;

struct Floats {
    __m256 value;
};

inline Floats load_floats(const float* source) { return {_mm256_loadu_ps(source)}; }
inline void store(float* target, Floats a) { _mm256_storeu_ps(target, a.value); }
inline Floats floats(float value) { return {_mm256_set1_ps(value)}; }

inline Floats operator+(Floats a, Floats b) { return {_mm256_add_ps(a.value, b.value)}; }
inline Floats operator-(Floats a, Floats b) { return {_mm256_sub_ps(a.value, b.value)}; }
inline Floats operator*(Floats a, Floats b) { return {_mm256_mul_ps(a.value, b.value)}; }
inline Floats operator/(Floats a, Floats b) { return {_mm256_div_ps(a.value, b.value)}; }
inline Floats fused(Floats a, Floats b, Floats c) { return {_mm256_fmadd_ps(a.value, b.value, c.value)}; }
inline Floats square_root(Floats a) { return {_mm256_sqrt_ps(a.value)}; }
inline Floats larger(Floats a, Floats b) { return {_mm256_max_ps(a.value, b.value)}; }
inline Floats smaller(Floats a, Floats b) { return {_mm256_min_ps(a.value, b.value)}; }
inline Floats select_less(Floats a, Floats b, Floats yes, Floats no) {
    return {_mm256_blendv_ps(no.value, yes.value, _mm256_cmp_ps(a.value, b.value, _CMP_LT_OQ))};
}

// Bits of a float as an integer, and back.
inline Floats add_bits(Floats a, uint32_t b) {
    return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a.value), _mm256_set1_epi32(static_cast<int>(b))))};
}
inline Floats and_bits(Floats a, uint32_t b) {
    return {_mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(a.value), _mm256_set1_epi32(static_cast<int>(b))))};
}
inline Floats or_bits(Floats a, uint32_t b) {
    return {_mm256_castsi256_ps(_mm256_or_si256(_mm256_castps_si256(a.value), _mm256_set1_epi32(static_cast<int>(b))))};
}
template <int places>
inline Floats shift_bits_left(Floats a) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.value), places))};
}
template <int places>
inline Floats shift_bits_right(Floats a) {
    return {_mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a.value), places))};
}

// The sums of four vectors, always added in the same order.
inline void store_sums(float* target, Floats a, Floats b, Floats c, Floats d) {
    const __m256 ab = _mm256_hadd_ps(a.value, b.value), cd = _mm256_hadd_ps(c.value, d.value);
    const __m256 halves = _mm256_hadd_ps(ab, cd);
    _mm_storeu_ps(target, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
