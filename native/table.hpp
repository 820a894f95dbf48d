// The table of one instruction set's functions: the only symbol that a kernels_*.cpp exports.
#pragma once

#include "crps.hpp"
#include "gaussians.hpp"
#include "math.hpp"
#include "mixture.hpp"
#include "network.hpp"
#include "optimizer.hpp"
#include "probability.hpp"
#include "quantile.hpp"
#include "rates.hpp"
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

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {
    isa_name,
    scratch_size,
    evaluate_mixture<LogDensity>,
    evaluate_mixture<LogProbability<1>>,
    evaluate_mixture<LogProbability<-1>>,
    evaluate_mixture<RankedProbabilityScore>,
    mixture_quantile,
    mixture_sample,
    gaussian_scratch_size,
    gaussian_log_density,
    gaussian_sums,
    gaussian_conditional,
    network_scratch_size,
    network_gradient,
    network_nll,
    optimizer_step,
    map_floats<exponential>,
    map_floats<hyperbolic_tangent>,
    fused_products,
    map_array<exponential>,
    map_array<logarithm>,
    map_array<tail_probability>,
    map_array<log_normal_tail>,
    map_array<logarithm_of_rest>,
    map_array<tail_quantile>,
    map_array<cosine_of_turns>,
    map_array<sine_of_turns>,
};

}  // namespace condensity::CONDENSITY_ISA
