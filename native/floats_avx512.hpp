// Sixteen lanes of float32, for training only. See floats.hpp for the meaning.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t float_width = 16;

struct Floats {
    __m512 value;
};

inline Floats load_floats(const float* source) { return {_mm512_loadu_ps(source)}; }
inline void store(float* target, Floats a) { _mm512_storeu_ps(target, a.value); }
inline Floats floats(float value) { return {_mm512_set1_ps(value)}; }

inline Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.value, b.value)}; }
inline Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.value, b.value)}; }
inline Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.value, b.value)}; }
inline Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.value, b.value)}; }
inline Floats fused(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.value, b.value, c.value)}; }
inline Floats square_root(Floats a) { return {_mm512_sqrt_ps(a.value)}; }
inline Floats larger(Floats a, Floats b) { return {_mm512_max_ps(a.value, b.value)}; }
inline Floats smaller(Floats a, Floats b) { return {_mm512_min_ps(a.value, b.value)}; }
inline Floats select_less(Floats a, Floats b, Floats yes, Floats no) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.value, b.value, _CMP_LT_OQ), no.value, yes.value)};
}

// Bits of a float as an integer, and back.
inline Floats add_bits(Floats a, uint32_t b) {
    return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.value), _mm512_set1_epi32(static_cast<int>(b))))};
}
inline Floats and_bits(Floats a, uint32_t b) {
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a.value), _mm512_set1_epi32(static_cast<int>(b))))};
}
inline Floats or_bits(Floats a, uint32_t b) {
    return {_mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a.value), _mm512_set1_epi32(static_cast<int>(b))))};
}
template <int places>
inline Floats shift_bits_left(Floats a) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a.value), places))};
}
template <int places>
inline Floats shift_bits_right(Floats a) {
    return {_mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(a.value), places))};
}

// The sums of four vectors, always added in the same order.
inline void store_sums(float* target, Floats a, Floats b, Floats c, Floats d) {
    const __m512 parts[4] = {a.value, b.value, c.value, d.value};
    __m256 halves[4];
    for (int i = 0; i < 4; ++i)
        halves[i] = _mm256_add_ps(_mm512_castps512_ps256(parts[i]), _mm512_extractf32x8_ps(parts[i], 1));
    const __m256 sums = _mm256_hadd_ps(_mm256_hadd_ps(halves[0], halves[1]), _mm256_hadd_ps(halves[2], halves[3]));
    _mm_storeu_ps(target, _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1)));
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
