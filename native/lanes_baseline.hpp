// One lane of plain C++, for machines with none of the instruction sets below. See simd.hpp for the meaning.
#pragma once

#include <stddef.h>
#include <stdint.h>
#if defined(_MSC_VER)
#include <emmintrin.h>  // a square root that is no library call
#endif

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr const char* isa_name = "baseline";
constexpr size_t width = 1;

struct Lanes {
    double value;
};
struct Mask {
    bool value;
};
struct Bits {
    uint64_t value;
};

inline Lanes load(const double* source) { return {*source}; }
inline void store(double* target, Lanes a) { *target = a.value; }
inline Lanes broadcast(double value) { return {value}; }

inline Lanes operator+(Lanes a, Lanes b) { return {a.value + b.value}; }
inline Lanes operator-(Lanes a, Lanes b) { return {a.value - b.value}; }
inline Lanes operator*(Lanes a, Lanes b) { return {a.value * b.value}; }
inline Lanes operator/(Lanes a, Lanes b) { return {a.value / b.value}; }
inline Lanes fused(Lanes a, Lanes b, Lanes c) { return {a.value * b.value + c.value}; }
#if defined(_MSC_VER)
inline Lanes square_root(Lanes a) { return {_mm_cvtsd_f64(_mm_sqrt_sd(_mm_set_sd(a.value), _mm_set_sd(a.value)))}; }
#else
inline Lanes square_root(Lanes a) { return {__builtin_sqrt(a.value)}; }
#endif

inline Mask operator<(Lanes a, Lanes b) { return {a.value < b.value}; }
inline Mask operator==(Lanes a, Lanes b) { return {a.value == b.value}; }
inline Mask operator&(Mask a, Mask b) { return {a.value && b.value}; }
inline Mask operator|(Mask a, Mask b) { return {a.value || b.value}; }
inline Mask operator!(Mask a) { return {!a.value}; }
inline bool any(Mask mask) { return mask.value; }
inline Lanes select(Mask mask, Lanes a, Lanes b) { return mask.value ? a : b; }
inline Lanes larger(Lanes a, Lanes b) { return select(b < a, a, b); }
inline Lanes smaller(Lanes a, Lanes b) { return select(a < b, a, b); }

inline Bits bits_of(Lanes a) { return {__builtin_bit_cast(uint64_t, a.value)}; }
inline Lanes from_bits(Bits a) { return {__builtin_bit_cast(double, a.value)}; }
inline Bits broadcast_bits(uint64_t value) { return {value}; }
inline Bits operator+(Bits a, Bits b) { return {a.value + b.value}; }
inline Bits operator&(Bits a, Bits b) { return {a.value & b.value}; }
inline Bits operator|(Bits a, Bits b) { return {a.value | b.value}; }
inline Bits operator^(Bits a, Bits b) { return {a.value ^ b.value}; }
inline Bits operator*(Bits a, Bits b) { return {a.value * b.value}; }
template <int places>
inline Bits shift_left(Bits a) {
    return {a.value << places};
}
template <int places>
inline Bits shift_right(Bits a) {
    return {a.value >> places};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
