// Update rules on one flat vector. Twin of condensity/engines/reference/optimizer.py, whose formulas these are.
//
// Vectors are padded to whole lanes; what stands in the padding is never read by anybody.
#pragma once

#include "floats.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr float optimizer_epsilon = 1e-8f;

// Schedule-free AdamW: z and the averaged x, and in `query` the point where the next gradient is wanted.
inline void schedule_free_step(const OptimizerStep& s) {
    const Floats beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2), correction = floats(s.correction2);
    const Floats rate = floats(s.rate), share = floats(s.share), beta1 = floats(s.beta1), decay = floats(s.decay);
    const Floats clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats g = load_floats(s.gradient + i) * clip;
        const Floats v = fused(beta2, load_floats(s.second + i), rest2 * g * g);
        store(s.second + i, v);
        Floats update = g / (square_root(v * correction) + epsilon);
        update = fused(decay * load_floats(s.decay_mask + i), load_floats(s.query + i), update);
        const Floats z = load_floats(s.first + i) - rate * update;
        const Floats x = fused(share, z - load_floats(s.model + i), load_floats(s.model + i));
        store(s.first + i, z);
        store(s.model + i, x);
        store(s.query + i, fused(beta1, x - z, z));
    }
}

// AdamW: `query` is θ, and the model its running average.
inline void adamw_step(const OptimizerStep& s) {
    const Floats beta1 = floats(s.beta1), rest1 = floats(1.0f - s.beta1), beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2);
    const Floats rate = floats(s.rate), correction1 = floats(s.correction1), correction2 = floats(s.correction2);
    const Floats decay = floats(s.decay), share = floats(s.share), clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats g = load_floats(s.gradient + i) * clip, theta = load_floats(s.query + i);
        const Floats m = fused(beta1, load_floats(s.first + i), rest1 * g), v = fused(beta2, load_floats(s.second + i), rest2 * g * g);
        store(s.first + i, m);
        store(s.second + i, v);
        const Floats adaptive = m * correction1 / (square_root(v * correction2) + epsilon);
        const Floats moved = theta - rate * fused(decay * load_floats(s.decay_mask + i), theta, adaptive);
        const Floats average = load_floats(s.model + i);
        store(s.query + i, moved);
        store(s.model + i, fused(share, moved - average, average));
    }
}

inline void adam_step(const OptimizerStep& s) {
    const Floats beta1 = floats(s.beta1), rest1 = floats(1.0f - s.beta1), beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2);
    const Floats rate = floats(s.rate * s.correction1), correction = floats(s.correction2), decay = floats(s.decay);
    const Floats clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats theta = load_floats(s.model + i);
        const Floats g = fused(decay * load_floats(s.decay_mask + i), theta, load_floats(s.gradient + i) * clip);
        const Floats m = fused(beta1, load_floats(s.first + i), rest1 * g), v = fused(beta2, load_floats(s.second + i), rest2 * g * g);
        store(s.first + i, m);
        store(s.second + i, v);
        store(s.model + i, theta - rate * m / (square_root(v * correction) + epsilon));
    }
}

inline void rmsprop_step(const OptimizerStep& s) {
    const Floats beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2), rate = floats(s.rate), decay = floats(s.decay);
    const Floats clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats theta = load_floats(s.model + i);
        const Floats g = fused(decay * load_floats(s.decay_mask + i), theta, load_floats(s.gradient + i) * clip);
        const Floats v = fused(beta2, load_floats(s.second + i), rest2 * g * g);
        store(s.second + i, v);
        store(s.model + i, theta - rate * g / (square_root(v) + epsilon));
    }
}

inline void optimizer_step(const OptimizerStep& s) {
    if (s.solver == Solver::schedule_free_adamw) return schedule_free_step(s);
    if (s.solver == Solver::adamw) return adamw_step(s);
    if (s.solver == Solver::adam) return adam_step(s);
    rmsprop_step(s);
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
