// Four lanes: AVX2 and FMA. See simd.hpp for the meaning.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr const char* isa_name = "avx2";
constexpr size_t width = 4;

struct Lanes {
    __m256d value;
};
struct Mask {
    __m256d value;
};
struct Bits {
    __m256i value;
};

inline Lanes load(const double* source) { return {_mm256_loadu_pd(source)}; }
inline void store(double* target, Lanes a) { _mm256_storeu_pd(target, a.value); }
inline Lanes broadcast(double value) { return {_mm256_set1_pd(value)}; }

inline Lanes operator+(Lanes a, Lanes b) { return {_mm256_add_pd(a.value, b.value)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm256_sub_pd(a.value, b.value)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm256_mul_pd(a.value, b.value)}; }
inline Lanes operator/(Lanes a, Lanes b) { return {_mm256_div_pd(a.value, b.value)}; }
inline Lanes fused(Lanes a, Lanes b, Lanes c) { return {_mm256_fmadd_pd(a.value, b.value, c.value)}; }
inline Lanes square_root(Lanes a) { return {_mm256_sqrt_pd(a.value)}; }
inline Lanes larger(Lanes a, Lanes b) { return {_mm256_max_pd(a.value, b.value)}; }
inline Lanes smaller(Lanes a, Lanes b) { return {_mm256_min_pd(a.value, b.value)}; }

inline Mask operator<(Lanes a, Lanes b) { return {_mm256_cmp_pd(a.value, b.value, _CMP_LT_OQ)}; }
inline Mask operator==(Lanes a, Lanes b) { return {_mm256_cmp_pd(a.value, b.value, _CMP_EQ_OQ)}; }
inline Mask operator&(Mask a, Mask b) { return {_mm256_and_pd(a.value, b.value)}; }
inline Mask operator|(Mask a, Mask b) { return {_mm256_or_pd(a.value, b.value)}; }
inline Mask operator!(Mask a) { return {_mm256_xor_pd(a.value, _mm256_castsi256_pd(_mm256_set1_epi64x(-1)))}; }
inline bool any(Mask mask) { return _mm256_movemask_pd(mask.value) != 0; }
inline Lanes select(Mask mask, Lanes a, Lanes b) { return {_mm256_blendv_pd(b.value, a.value, mask.value)}; }

inline Bits bits_of(Lanes a) { return {_mm256_castpd_si256(a.value)}; }
inline Lanes from_bits(Bits a) { return {_mm256_castsi256_pd(a.value)}; }
inline Bits broadcast_bits(uint64_t value) { return {_mm256_set1_epi64x(static_cast<long long>(value))}; }
inline Bits operator+(Bits a, Bits b) { return {_mm256_add_epi64(a.value, b.value)}; }
inline Bits operator&(Bits a, Bits b) { return {_mm256_and_si256(a.value, b.value)}; }
inline Bits operator|(Bits a, Bits b) { return {_mm256_or_si256(a.value, b.value)}; }
inline Bits operator^(Bits a, Bits b) { return {_mm256_xor_si256(a.value, b.value)}; }
// Modulo 2⁶⁴, from 32-bit halves: low·low + ((high·low + low·high) << 32).
inline Bits operator*(Bits a, Bits b) {
    const __m256i crossed = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(a.value, 32), b.value),
                                             _mm256_mul_epu32(a.value, _mm256_srli_epi64(b.value, 32)));
    return {_mm256_add_epi64(_mm256_mul_epu32(a.value, b.value), _mm256_slli_epi64(crossed, 32))};
}
template <int places>
inline Bits shift_left(Bits a) {
    return {_mm256_slli_epi64(a.value, places)};
}
template <int places>
inline Bits shift_right(Bits a) {
    return {_mm256_srli_epi64(a.value, places)};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
