// Eight lanes: AVX-512F. See simd.hpp for the meaning.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr const char* isa_name = "avx512";
constexpr size_t width = 8;

struct Lanes {
    __m512d value;
};
struct Mask {
    __mmask8 value;
};
struct Bits {
    __m512i value;
};

inline Lanes load(const double* source) { return {_mm512_loadu_pd(source)}; }
inline void store(double* target, Lanes a) { _mm512_storeu_pd(target, a.value); }
inline Lanes broadcast(double value) { return {_mm512_set1_pd(value)}; }

inline Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_pd(a.value, b.value)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm512_sub_pd(a.value, b.value)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm512_mul_pd(a.value, b.value)}; }
inline Lanes operator/(Lanes a, Lanes b) { return {_mm512_div_pd(a.value, b.value)}; }
inline Lanes fused(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_pd(a.value, b.value, c.value)}; }
inline Lanes square_root(Lanes a) { return {_mm512_maskz_sqrt_pd(0xff, a.value)}; }
inline Lanes larger(Lanes a, Lanes b) { return {_mm512_max_pd(a.value, b.value)}; }
inline Lanes smaller(Lanes a, Lanes b) { return {_mm512_min_pd(a.value, b.value)}; }

inline Mask operator<(Lanes a, Lanes b) { return {_mm512_cmp_pd_mask(a.value, b.value, _CMP_LT_OQ)}; }
inline Mask operator==(Lanes a, Lanes b) { return {_mm512_cmp_pd_mask(a.value, b.value, _CMP_EQ_OQ)}; }
inline Mask operator&(Mask a, Mask b) { return {static_cast<__mmask8>(a.value & b.value)}; }
inline Mask operator|(Mask a, Mask b) { return {static_cast<__mmask8>(a.value | b.value)}; }
inline Mask operator!(Mask a) { return {static_cast<__mmask8>(~a.value)}; }
inline bool any(Mask mask) { return mask.value != 0; }
inline Lanes select(Mask mask, Lanes a, Lanes b) { return {_mm512_mask_blend_pd(mask.value, b.value, a.value)}; }

inline Bits bits_of(Lanes a) { return {_mm512_castpd_si512(a.value)}; }
inline Lanes from_bits(Bits a) { return {_mm512_castsi512_pd(a.value)}; }
inline Bits broadcast_bits(uint64_t value) { return {_mm512_set1_epi64(static_cast<long long>(value))}; }
inline Bits operator+(Bits a, Bits b) { return {_mm512_add_epi64(a.value, b.value)}; }
inline Bits operator&(Bits a, Bits b) { return {_mm512_and_si512(a.value, b.value)}; }
inline Bits operator|(Bits a, Bits b) { return {_mm512_or_si512(a.value, b.value)}; }
inline Bits operator^(Bits a, Bits b) { return {_mm512_xor_si512(a.value, b.value)}; }
inline Bits operator*(Bits a, Bits b) { return {_mm512_mullo_epi64(a.value, b.value)}; }
// The masked forms, with every lane on: GCC 12's plain ones warn of an uninitialised variable of their own (bug 105593).
template <int places>
inline Bits shift_left(Bits a) {
    return {_mm512_maskz_slli_epi64(0xff, a.value, places)};
}
template <int places>
inline Bits shift_right(Bits a) {
    return {_mm512_maskz_srli_epi64(0xff, a.value, places)};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
