// The mixture head of one output: from 3K numbers a row (a, m, r) to the loss and, in their place, to its derivatives.
// Twin of condensity/engines/reference/network.py, whose letters these are.
//
//     π = softmax(a)    μ = m    log σ = clamp(r) = hi − softplus(hi − (lo + softplus(r − lo)))
//
// With E = e^(r − lo) and G = e^(hi − lo)/(1 + E): 1/σ = e^−hi (1 + G) and clamp′(r) = E/(1 + E) · G/(1 + G), so one exponential
// gives both. Responsibilities need 1/σ, not log σ: γ ∝ (1/σ) e^(a − ½z²).
#pragma once

#include "floats.hpp"
#include "mlp.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr float half_log_2pi = 0.918938533f;
constexpr float farthest_z = 1e15f;         // z² must stay within float32
constexpr float log_scale_center = -1.0f;

// Room for what one group of lanes keeps between passes, 5 numbers a component.
inline size_t head_scratch(const NetworkShape& shape) { return 5 * shape.components * float_width; }

struct RowLoss {
    Floats nll, penalty;
};

// A row's share in the gradient, less where its loss is above the cap, and its loss in the sum.
struct CappedLoss {
    Floats pull, loss;
};

inline CappedLoss cap_loss(Floats nll, Floats part, const Penalty& settings) {
    const Floats cap = floats(settings.loss_cap), one = floats(1.0f);
    const Floats ratio = larger(nll / cap, one);
    return {part / ratio, part * select_less(one, ratio, cap * (one + logarithm(ratio)), nll)};
}

// The rows of one group of lanes. `tile` is the head's output at the first of them; with `share` (each row's part of the mean)
// it is overwritten by the derivatives, without (null) it is left.
inline RowLoss mixture_head(const NetworkShape& shape, const Penalty& settings, float* tile, const float* y, const float* share,
                            float* scratch) {
    const size_t count = shape.components;
    float *a = tile, *m = tile + count * tile_rows, *r = tile + 2 * count * tile_rows;
    float *kept_z = scratch, *kept_inverse = kept_z + count * float_width, *kept_slope = kept_inverse + count * float_width,
          *kept_exponent = kept_slope + count * float_width, *kept_share = kept_exponent + count * float_width;
    const Floats one = floats(1.0f), zero = floats(0.0f), target = load_floats(y);
    const Floats low = floats(shape.bounded ? shape.log_scale_low[0] : 0.0f), range = floats(shape.bounded ? shape.range[0] : 0.0f);
    const Floats smallest_inverse = floats(shape.smallest_inverse);
    const bool penalised = settings.hinge > 0.0f || settings.lognormal > 0.0f;

    // Short loops, one after the other: a machine that looks ahead sees several components only if there is little to each.
    for (size_t k = 0; k < count; ++k) {
        const Floats raw = load_floats(r + k * tile_rows);
        store(kept_slope + k * float_width, exponential(shape.bounded ? raw - low : -raw));
    }
    Floats top = floats(-3e38f), peak = floats(-3e38f), penalty = zero;
    for (size_t k = 0; k < count; ++k) {
        Floats inverse, slope;
        if (shape.bounded) {
            const Floats e = load_floats(kept_slope + k * float_width), rest = one / (one + e);
            const Floats g = range * rest;
            inverse = fused(smallest_inverse, g, smallest_inverse);
            slope = e * rest * g / (one + g);
        } else {
            inverse = load_floats(kept_slope + k * float_width);
            slope = one;
        }
        const Floats raw = (target - load_floats(m + k * tile_rows)) * inverse;
        const Floats z = larger(floats(-farthest_z), smaller(floats(farthest_z), raw));  // NaN passes both
        const Floats logit = load_floats(a + k * tile_rows), exponent = fused(z * z, floats(-0.5f), logit);
        store(kept_z + k * float_width, z);
        store(kept_inverse + k * float_width, inverse);
        store(kept_slope + k * float_width, slope);
        store(kept_exponent + k * float_width, exponent);
        top = larger(logit, top);
        peak = larger(exponent, peak);
    }
    Floats weights = zero, densities = zero;
    for (size_t k = 0; k < count; ++k) {
        const Floats weight = exponential(load_floats(a + k * tile_rows) - top);
        const Floats density = load_floats(kept_inverse + k * float_width) * exponential(load_floats(kept_exponent + k * float_width) - peak);
        store(kept_share + k * float_width, weight);
        store(kept_exponent + k * float_width, density);
        weights = weights + weight;
        densities = densities + density;
    }
    const Floats nll = (top - peak) + (logarithm(weights) - logarithm(densities)) + floats(half_log_2pi);
    if (share == nullptr) return {nll, zero};

    const Floats part = load_floats(share);
    const CappedLoss row = cap_loss(nll, part, settings);
    const Floats per_weight = row.pull / weights, per_density = row.pull / densities;
    const Floats hinge = floats(settings.hinge), lognormal = floats(settings.lognormal);
    for (size_t k = 0; penalised && k < count; ++k)  // log σ, in place of r
        store(r + k * tile_rows, -logarithm(load_floats(kept_inverse + k * float_width)));
    for (size_t k = 0; k < count; ++k) {
        const Floats z = load_floats(kept_z + k * float_width), inverse = load_floats(kept_inverse + k * float_width);
        const Floats gamma = load_floats(kept_exponent + k * float_width) * per_density;
        Floats d_log_scale = fused(-gamma * z, z, gamma);
        if (penalised) {
            const Floats log_scale = load_floats(r + k * tile_rows);
            const Floats above = larger(log_scale, zero), off_center = log_scale - floats(log_scale_center);
            const Floats hinged = hinge * above, centred = lognormal * off_center;
            d_log_scale = fused(part, hinged + centred, d_log_scale);
            penalty = penalty + floats(0.5f) * fused(hinged, above, centred * off_center);
        }
        store(a + k * tile_rows, fused(load_floats(kept_share + k * float_width), per_weight, -gamma));
        store(m + k * tile_rows, -gamma * z * inverse);
        store(r + k * tile_rows, d_log_scale * load_floats(kept_slope + k * float_width));
    }
    return {row.loss, penalty * part};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
