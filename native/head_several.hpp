// The mixture head of several outputs: from K (1 + 2q + q(q − 1)/2) numbers a row, a (K), m (K, q), r (K, q), c (K, coefficients),
// to the loss and, in their place, to its derivatives. Twin of condensity/engines/reference/network.py, whose letters these are.
//
//     u = y − μ    v_i = u_i + Σ_{j<i} c_ij u_j    z_i = v_i / σ_i    ℓ = log π − Σ log σ_i − ½ |z|² − q/2 log 2π
#pragma once

#include "head.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// Room for what one group of lanes keeps between passes: u, z, 1/σ, log σ and the clamp's slope of every component's outputs,
// and two numbers a component.
inline size_t head_several_scratch(const NetworkShape& shape) { return (5 * shape.outputs + 2) * shape.components * float_width; }

// The soft clamp and what follows from it, elementwise over K·q numbers: log σ, 1/σ, d log σ / d r.
inline void clamp_scales(const NetworkShape& shape, const float* r, float* log_scale, float* inverse, float* slope) {
    const Floats one = floats(1.0f), smallest_inverse = floats(shape.smallest_inverse);
    for (size_t k = 0; k < shape.components; ++k)
        for (size_t i = 0; i < shape.outputs; ++i) {
            const size_t place = k * shape.outputs + i, kept = place * float_width;
            const Floats raw = load_floats(r + place * tile_rows);
            if (shape.bounded) {
                const Floats e = exponential(raw - floats(shape.log_scale_low[i])), rest = one / (one + e);
                const Floats g = floats(shape.range[i]) * rest;
                store(inverse + kept, fused(smallest_inverse, g, smallest_inverse));
                store(slope + kept, e * rest * g / (one + g));
            } else {
                store(inverse + kept, exponential(-raw));
                store(slope + kept, one);
            }
            store(log_scale + kept, -logarithm(load_floats(inverse + kept)));
        }
}

// As `mixture_head`. Numbers of y are tile_rows apart.
inline RowLoss mixture_head_several(const NetworkShape& shape, const Penalty& settings, float* tile, const float* y,
                                    const float* share, float* scratch) {
    const size_t count = shape.components, q = shape.outputs, pairs = shape.regression_coefficients();
    float *a = tile, *m = a + count * tile_rows, *r = m + count * q * tile_rows, *c = r + count * q * tile_rows;
    float *all_u = scratch, *all_z = all_u + count * q * float_width, *all_inverse = all_z + count * q * float_width,
          *all_log_scale = all_inverse + count * q * float_width, *all_slope = all_log_scale + count * q * float_width,
          *kept_share = all_slope + count * q * float_width, *kept_exponent = kept_share + count * float_width;
    const Floats zero = floats(0.0f), half = floats(0.5f);

    clamp_scales(shape, r, all_log_scale, all_inverse, all_slope);
    Floats top = floats(-3e38f), peak = floats(-3e38f), penalty = zero;
    for (size_t k = 0; k < count; ++k) {
        float *u = all_u + k * q * float_width, *z = all_z + k * q * float_width;
        const float *inverse = all_inverse + k * q * float_width, *log_scale = all_log_scale + k * q * float_width;
        const float* coupling = c + k * pairs * tile_rows;
        Floats squares = zero, logs = zero;
        for (size_t i = 0; i < q; ++i) {
            // Held within float32's squares; NaN passes.
            const Floats distance = load_floats(y + i * tile_rows) - load_floats(m + (k * q + i) * tile_rows);
            const Floats own = larger(floats(-farthest_z), smaller(floats(farthest_z), distance));
            Floats whole = own;
            for (size_t j = 0; pairs > 0 && j < i; ++j, coupling += tile_rows)
                whole = fused(load_floats(coupling), load_floats(u + j * float_width), whole);
            const Floats raw = whole * load_floats(inverse + i * float_width);
            const Floats bounded = larger(floats(-farthest_z), smaller(floats(farthest_z), raw));
            store(u + i * float_width, own);
            store(z + i * float_width, bounded);
            squares = fused(bounded, bounded, squares);
            logs = logs + load_floats(log_scale + i * float_width);
        }
        const Floats logit = load_floats(a + k * tile_rows), exponent = logit - fused(half, squares, logs);
        store(kept_exponent + k * float_width, exponent);
        top = larger(logit, top);
        peak = larger(exponent, peak);
    }
    Floats weights = zero, densities = zero;
    for (size_t k = 0; k < count; ++k) {
        const Floats weight = exponential(load_floats(a + k * tile_rows) - top);
        const Floats density = exponential(load_floats(kept_exponent + k * float_width) - peak);
        store(kept_share + k * float_width, weight);
        store(kept_exponent + k * float_width, density);
        weights = weights + weight;
        densities = densities + density;
    }
    const Floats constant = floats(half_log_2pi * static_cast<float>(q));
    const Floats nll = (top - peak) + (logarithm(weights) - logarithm(densities)) + constant;
    if (share == nullptr) return {nll, zero};

    const Floats part = load_floats(share);
    const CappedLoss row = cap_loss(nll, part, settings);
    const Floats per_weight = row.pull / weights, per_density = row.pull / densities;
    const Floats hinge = floats(settings.hinge), lognormal = floats(settings.lognormal);
    for (size_t k = 0; k < count; ++k) {
        const float *u = all_u + k * q * float_width, *z = all_z + k * q * float_width, *inverse = all_inverse + k * q * float_width;
        const float *log_scales = all_log_scale + k * q * float_width, *slope = all_slope + k * q * float_width;
        float *d_mean = m + k * q * tile_rows, *coupling = c + k * pairs * tile_rows;
        const Floats gamma = load_floats(kept_exponent + k * float_width) * per_density;
        store(a + k * tile_rows, fused(load_floats(kept_share + k * float_width), per_weight, -gamma));
        for (size_t i = 0; i < q; ++i) {
            const Floats own = load_floats(z + i * float_width), pull = gamma * own * load_floats(inverse + i * float_width);
            const Floats log_scale = load_floats(log_scales + i * float_width);
            const Floats above = larger(log_scale, zero), off_center = log_scale - floats(log_scale_center);
            const Floats hinged = hinge * above, centred = lognormal * off_center;
            penalty = penalty + half * fused(hinged, above, centred * off_center);
            const Floats d_log_scale = fused(part, hinged + centred, fused(-gamma * own, own, gamma));
            store(r + (k * q + i) * tile_rows, d_log_scale * load_floats(slope + i * float_width));
            store(d_mean + i * tile_rows, -pull);
            for (size_t j = 0; pairs > 0 && j < i; ++j, coupling += tile_rows) {
                float* below = d_mean + j * tile_rows;
                store(below, load_floats(below) - pull * load_floats(coupling));
                store(coupling, pull * load_floats(u + j * float_width));
            }
        }
    }
    return {row.loss, penalty * part};
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
