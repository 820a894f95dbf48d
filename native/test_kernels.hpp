// Elementary functions on arrays, for native/tests only.
#pragma once

#include "math.hpp"
#include "normal.hpp"
#include "probability.hpp"
#include "sample.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// result ← function(input), elementwise; the last lanes are padded with ½.
template <Lanes (*function)(Lanes)>
void map_array(const double* input, double* result, size_t length) {
    for (size_t start = 0; start < length; start += width) {
        double values[width];
        const size_t count = least(width, length - start);
        for (size_t lane = 0; lane < width; ++lane) values[lane] = lane < count ? input[start + lane] : 0.5;
        store(values, function(load(values)));
        for (size_t lane = 0; lane < count; ++lane) result[start + lane] = values[lane];
    }
}

inline Lanes tail_probability(Lanes a) { return normal_tail(a).probability; }
inline Lanes cosine_of_turns(Lanes u) { return of_turns(u).cosine; }
inline Lanes sine_of_turns(Lanes u) { return of_turns(u).sine; }

constexpr TestKernels test_kernels{
    map_array<exponential>,
    map_array<logarithm>,
    map_array<tail_probability>,
    map_array<log_normal_tail>,
    map_array<logarithm_of_rest>,
    map_array<tail_quantile>,
    map_array<cosine_of_turns>,
    map_array<sine_of_turns>,
};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
