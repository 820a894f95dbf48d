// Schedule-free AdamW (Defazio et al. 2024, arXiv:2405.15682): the iterate z, the averaged x, which is the model, and in `query`
// the point between them where the next gradient is wanted.
#pragma once

#include "common.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

inline double schedule_free_share(double, double rate, double rate_square_sum) {
    return rate_square_sum > 0.0 ? rate * rate / rate_square_sum : 0.0;
}

inline void schedule_free_step(const OptimizerStep& s) {
    const Floats beta2 = floats(s.beta2), rest2 = floats(1.0f - s.beta2), correction = floats(s.correction2);
    const Floats rate = floats(s.rate), share = floats(s.share), beta1 = floats(s.beta1), decay = floats(s.decay);
    const Floats clip = floats(s.gradient_scale), epsilon = floats(optimizer_epsilon);
    float *all_z = s.moments[0], *all_v = s.moments[1];
    for (size_t i = 0; i < s.length; i += float_width) {
        const Floats g = load_floats(s.gradient + i) * clip;
        const Floats v = fused(beta2, load_floats(all_v + i), rest2 * g * g);
        store(all_v + i, v);
        Floats update = g / (square_root(v * correction) + epsilon);
        update = fused(decay * load_floats(s.decay_mask + i), load_floats(s.query + i), update);
        const Floats z = load_floats(all_z + i) - rate * update;
        const Floats x = fused(share, z - load_floats(s.model + i), load_floats(s.model + i));
        store(all_z + i, z);
        store(s.model + i, x);
        store(s.query + i, fused(beta1, x - z, z));
    }
}

constexpr Solver schedule_free_adamw{
    "schedule_free_adamw", 0.9, 0.999, 2, {MomentStart::parameters, MomentStart::zeros}, schedule_free_share, schedule_free_step};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
