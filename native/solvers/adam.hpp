// Adam (Kingma & Ba 2015), with weight decay as L2 in the gradient.
#pragma once

#include "common.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

inline void adam_step(const OptimizerStep& s) {
    const Floats beta1 = floats(s.beta1), rest1 = floats(1.0f - s.beta1), beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2);
    const Floats rate = floats(s.rate * s.correction1), correction = floats(s.correction2), decay = floats(s.decay);
    const Floats clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    float *all_m = s.moments[0], *all_v = s.moments[1];
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats theta = load_floats(s.model + i);
        const Floats g = fused(decay * load_floats(s.decay_mask + i), theta, load_floats(s.gradient + i) * clip);
        const Floats m = fused(beta1, load_floats(all_m + i), rest1 * g), v = fused(beta2, load_floats(all_v + i), rest2 * g * g);
        store(all_m + i, m);
        store(all_v + i, v);
        store(s.model + i, theta - rate * m / (square_root(v * correction) + epsilon));
    }
}

constexpr Solver adam{"adam", 0.9, 0.999, 2, {MomentStart::zeros, MomentStart::zeros}, nullptr, adam_step};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
