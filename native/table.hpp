// The table of one instruction set's functions: the only symbol that a kernels_*.cpp exports.
#pragma once

#include "math.hpp"
#include "mixture.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// result ← function(input), elementwise; the last lanes are padded with 1.
template <Lanes (*function)(Lanes)>
void map_array(const double* input, double* result, size_t length) {
    for (size_t start = 0; start < length; start += width) {
        double values[width];
        const size_t count = least(width, length - start);
        for (size_t lane = 0; lane < width; ++lane) values[lane] = lane < count ? input[start + lane] : 1.0;
        store(values, function(load(values)));
        for (size_t lane = 0; lane < count; ++lane) result[start + lane] = values[lane];
    }
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {isa_name, mixture_logpdf, map_array<exponential>, map_array<logarithm>};

}  // namespace condensity::CONDENSITY_ISA
