// The table of one instruction set's functions: the only symbol that a kernels_*.cpp exports.
#pragma once

#include "crps.hpp"
#include "gaussians.hpp"
#include "mixture.hpp"
#include "network.hpp"
#include "peak_rates.hpp"
#include "quantile.hpp"
#include "sample.hpp"
#include "solvers.hpp"
#include "test_kernels.hpp"

namespace condensity::CONDENSITY_ISA {

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
    solvers,
    sizeof solvers / sizeof solvers[0],
    benchmark_kernels,
    test_kernels,
};

}  // namespace condensity::CONDENSITY_ISA
