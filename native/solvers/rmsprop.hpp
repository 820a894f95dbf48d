// RMSProp (Tieleman & Hinton 2012), with weight decay as L2 in the gradient. The running mean square starts at one.
#pragma once

#include "common.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

inline void rmsprop_step(const OptimizerStep& s) {
    const Floats beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2), rate = floats(s.rate), decay = floats(s.decay);
    const Floats clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    float* all_v = s.moments[0];
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats theta = load_floats(s.model + i);
        const Floats g = fused(decay * load_floats(s.decay_mask + i), theta, load_floats(s.gradient + i) * clip);
        const Floats v = fused(beta2, load_floats(all_v + i), rest2 * g * g);
        store(all_v + i, v);
        store(s.model + i, theta - rate * g / (square_root(v) + epsilon));
    }
}

constexpr Solver rmsprop{"rmsprop", 0.9, 0.9, 1, {MomentStart::ones}, nullptr, rmsprop_step};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
