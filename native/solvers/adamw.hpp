// AdamW (Loshchilov & Hutter 2019): `query` is θ, and the model its running average.
#pragma once

#include "common.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// About the last 200 steps count.
inline double adamw_share(double step, double, double) {
    const double kept = (step + 1.0) / (step + 10.0);
    return 1.0 - (kept < 0.995 ? kept : 0.995);
}

inline void adamw_step(const OptimizerStep& s) {
    const Floats beta1 = floats(s.beta1), rest1 = floats(1.0f - s.beta1), beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2);
    const Floats rate = floats(s.rate), correction1 = floats(s.correction1), correction2 = floats(s.correction2);
    const Floats decay = floats(s.decay), share = floats(s.share), clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    float *all_m = s.moments[0], *all_v = s.moments[1];
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats g = load_floats(s.gradient + i) * clip, theta = load_floats(s.query + i);
        const Floats m = fused(beta1, load_floats(all_m + i), rest1 * g), v = fused(beta2, load_floats(all_v + i), rest2 * g * g);
        store(all_m + i, m);
        store(all_v + i, v);
        const Floats adaptive = m * correction1 / (square_root(v * correction2) + epsilon);
        const Floats moved = theta - rate * fused(decay * load_floats(s.decay_mask + i), theta, adaptive);
        const Floats average = load_floats(s.model + i);
        store(s.query + i, moved);
        store(s.model + i, fused(share, moved - average, average));
    }
}

constexpr Solver adamw{"adamw", 0.9, 0.999, 2, {MomentStart::zeros, MomentStart::zeros}, adamw_share, adamw_step};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
