// Four lanes of float32, for training only. See floats.hpp for the meaning.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t float_width = 4;

// Plain loops, which compilers turn into what the machine has at least.
struct Floats {
    float value[float_width];
};

inline Floats load_floats(const float* source) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = source[i];
    return result;
}
inline void store(float* target, Floats a) {
    for (size_t i = 0; i < float_width; ++i) target[i] = a.value[i];
}
inline Floats floats(float value) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = value;
    return result;
}
inline Floats operator+(Floats a, Floats b) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = a.value[i] + b.value[i];
    return result;
}
inline Floats operator-(Floats a, Floats b) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = a.value[i] - b.value[i];
    return result;
}
inline Floats operator*(Floats a, Floats b) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = a.value[i] * b.value[i];
    return result;
}
inline Floats operator/(Floats a, Floats b) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = a.value[i] / b.value[i];
    return result;
}
inline Floats fused(Floats a, Floats b, Floats c) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = a.value[i] * b.value[i] + c.value[i];
    return result;
}
inline Floats square_root(Floats a) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) {
        const Lanes root = square_root(broadcast(static_cast<double>(a.value[i])));
        result.value[i] = static_cast<float>(root.value);
    }
    return result;
}
inline Floats select_less(Floats a, Floats b, Floats yes, Floats no) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = a.value[i] < b.value[i] ? yes.value[i] : no.value[i];
    return result;
}
inline Floats larger(Floats a, Floats b) { return select_less(b, a, a, b); }
inline Floats smaller(Floats a, Floats b) { return select_less(a, b, a, b); }

// Bits of a float as an integer, and back.
inline uint32_t bits_of_float(float a) { return __builtin_bit_cast(uint32_t, a); }
inline float float_of_bits(uint32_t a) { return __builtin_bit_cast(float, a); }
inline Floats add_bits(Floats a, uint32_t b) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = float_of_bits(bits_of_float(a.value[i]) + b);
    return result;
}
inline Floats and_bits(Floats a, uint32_t b) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = float_of_bits(bits_of_float(a.value[i]) & b);
    return result;
}
inline Floats or_bits(Floats a, uint32_t b) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = float_of_bits(bits_of_float(a.value[i]) | b);
    return result;
}
template <int places>
inline Floats shift_bits_left(Floats a) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = float_of_bits(bits_of_float(a.value[i]) << places);
    return result;
}
template <int places>
inline Floats shift_bits_right(Floats a) {
    Floats result;
    for (size_t i = 0; i < float_width; ++i) result.value[i] = float_of_bits(bits_of_float(a.value[i]) >> places);
    return result;
}

// The sums of four vectors, always added in the same order.
inline void store_sums(float* target, Floats a, Floats b, Floats c, Floats d) {
    const Floats parts[4] = {a, b, c, d};
    for (size_t i = 0; i < 4; ++i) {
        const float* v = parts[i].value;
        target[i] = (v[0] + v[1]) + (v[2] + v[3]);
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
