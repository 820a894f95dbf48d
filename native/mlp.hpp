// Layers of a perceptron on tiles of rows, forward and backward. Twin of condensity/engines/reference/network.py.
//
// A tile is feature-major: number [unit·tile_rows + row]. Lanes run over rows. Weights are W[input·outputs + output], as in θ, where
// the bias follows as one more row: every layer's inputs end with a one, and the bias is its weight.
// Products hold `block` units × 2 lanes of sums in registers. Rows beyond the batch are padded; their deltas are 0.
#pragma once

#include "floats.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t tile_rows = 128;
constexpr size_t block = 6;                 // 6 × 2 sums, 2 loads and a broadcast: 15 registers of AVX2's 16
constexpr size_t stripe = 2 * float_width;  // rows of a block

#if defined(__GNUC__) && !defined(__clang__)
#define CONDENSITY_UNROLL _Pragma("GCC unroll 8")  // else GCC keeps the sums in memory
#elif defined(__clang__)
#define CONDENSITY_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CONDENSITY_UNROLL
#endif

// Sums over `depth` of weight[i·step + j·next] · tile[i], for j < units, on the stripe at `tile`.
template <size_t units>
inline void multiply_stripe(const float* tile, size_t depth, const float* weight, size_t step, size_t next, Floats (&sums)[block][2]) {
    for (size_t i = 0; i < depth; ++i) {
        const Floats low = load_floats(tile + i * tile_rows), high = load_floats(tile + i * tile_rows + float_width);
        CONDENSITY_UNROLL
        for (size_t j = 0; j < units; ++j) {
            const Floats w = floats(weight[i * step + j * next]);
            sums[j][0] = fused(w, low, sums[j][0]);
            sums[j][1] = fused(w, high, sums[j][1]);
        }
    }
}

// finish(unit, row, value of float_width rows) for the products of the units from `first` on.
template <size_t units, class Finish>
inline void multiply_block(const float* tile, size_t depth, const float* weight, size_t step, size_t next, size_t first,
                           size_t rows, Finish& finish) {
    for (size_t row = 0; row < rows; row += stripe) {
        Floats sums[block][2];
        CONDENSITY_UNROLL
        for (size_t j = 0; j < units; ++j) sums[j][0] = sums[j][1] = floats(0.0f);
        multiply_stripe<units>(tile + row, depth, weight + first * next, step, next, sums);
        CONDENSITY_UNROLL
        for (size_t j = 0; j < units; ++j) {
            finish(first + j, row, sums[j][0]);
            finish(first + j, row + float_width, sums[j][1]);
        }
    }
}

// For every unit u and row: finish(u, row, Σ_i weight[i·step + u·next] · tile[i]).
template <class Finish>
inline void multiply(const float* tile, size_t depth, const float* weight, size_t step, size_t next, size_t units,
                     size_t rows, Finish finish) {
    size_t u = 0;
    for (; u + block <= units; u += block)
        multiply_block<block>(tile, depth, weight, step, next, u, rows, finish);
    switch (units - u) {
        case 5: return multiply_block<5>(tile, depth, weight, step, next, u, rows, finish);
        case 4: return multiply_block<4>(tile, depth, weight, step, next, u, rows, finish);
        case 3: return multiply_block<3>(tile, depth, weight, step, next, u, rows, finish);
        case 2: return multiply_block<2>(tile, depth, weight, step, next, u, rows, finish);
        case 1: return multiply_block<1>(tile, depth, weight, step, next, u, rows, finish);
        default: return;
    }
}

constexpr size_t across = 3;  // 4 inputs × 3 outputs of sums, 3 deltas and an input: AVX2's 16 registers

// gradient[i·outputs + u] += Σ_row tile[i] · delta[u], for a block of `height` ≤ 4 inputs × `used` ≤ 3 outputs.
template <size_t height>
inline void correlate_block(const float* tile, const float* delta, size_t rows, size_t outputs, size_t used, float* gradient) {
    Floats sums[across][4];
    CONDENSITY_UNROLL
    for (size_t j = 0; j < across; ++j) sums[j][0] = sums[j][1] = sums[j][2] = sums[j][3] = floats(0.0f);
    const float *first = delta, *second = delta + (used > 1 ? tile_rows : 0), *third = delta + (used > 2 ? 2 * tile_rows : 0);
    for (size_t row = 0; row < rows; row += float_width) {
        const Floats d[across] = {load_floats(first + row), load_floats(second + row), load_floats(third + row)};
        CONDENSITY_UNROLL
        for (size_t i = 0; i < height; ++i) {
            const Floats h = load_floats(tile + i * tile_rows + row);
            CONDENSITY_UNROLL
            for (size_t j = 0; j < across; ++j) sums[j][i] = fused(h, d[j], sums[j][i]);
        }
    }
    for (size_t j = 0; j < used; ++j) {
        float total[4];
        store_sums(total, sums[j][0], sums[j][1], sums[j][2], sums[j][3]);
        for (size_t i = 0; i < height; ++i) gradient[i * outputs + j] += total[i];
    }
}

inline void correlate(const float* tile, size_t inputs, const float* delta, size_t outputs, size_t rows, float* gradient) {
    for (size_t u = 0; u < outputs; u += across) {
        const size_t used = outputs - u < across ? outputs - u : across;
        const float* d = delta + u * tile_rows;
        size_t i = 0;
        for (; i + 4 <= inputs; i += 4) correlate_block<4>(tile + i * tile_rows, d, rows, outputs, used, gradient + i * outputs + u);
        const float* rest = tile + i * tile_rows;
        float* target = gradient + i * outputs + u;
        if (inputs - i == 3) correlate_block<3>(rest, d, rows, outputs, used, target);
        if (inputs - i == 2) correlate_block<2>(rest, d, rows, outputs, used, target);
        if (inputs - i == 1) correlate_block<1>(rest, d, rows, outputs, used, target);
    }
}

struct Activated {
    Floats value, slope;
};

inline Activated activate(Activation kind, Floats u) {
    if (kind == Activation::tanh) {
        const Floats h = hyperbolic_tangent(u);
        return {h, floats(1.0f) - h * h};
    }
    if (kind == Activation::silu) {
        const Floats s = logistic(u), h = u * s;
        return {h, fused(h, floats(1.0f) - s, s)};
    }
    return {larger(u, floats(0.0f)), select_less(floats(0.0f), u, floats(1.0f), floats(0.0f))};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
