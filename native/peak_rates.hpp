// Peak rates of this machine, for the benchmark of training to compare with.
#pragma once

#include "floats.hpp"
#include "mlp.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// Elementwise; the length is a multiple of 16.
template <Floats (*function)(Floats)>
void map_floats(const float* input, float* result, size_t length) {
    for (size_t i = 0; i < length; i += float_width) store(result + i, function(load_floats(input + i)));
}

// Twelve sums that do not wait for each other, as in a matrix product whose operands never leave the registers.
inline double fused_products(size_t repeats, float* result) {
    Floats sums[12];
    CONDENSITY_UNROLL
    for (size_t j = 0; j < 12; ++j) sums[j] = floats(static_cast<float>(j));
    const Floats a = load_floats(result), b = load_floats(result + float_width);
    for (size_t i = 0; i < repeats; ++i) {
        CONDENSITY_UNROLL
        for (size_t j = 0; j < 6; ++j) sums[j] = fused(a, b, sums[j]);
        CONDENSITY_UNROLL
        for (size_t j = 6; j < 12; ++j) sums[j] = fused(a, b, sums[j]);
    }
    Floats total = sums[0];
    for (size_t j = 1; j < 12; ++j) total = total + sums[j];
    store(result, total);
    return 2.0 * 12.0 * static_cast<double>(float_width) * static_cast<double>(repeats);
}

constexpr BenchmarkKernels benchmark_kernels{map_floats<exponential>, map_floats<hyperbolic_tangent>, fused_products};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
