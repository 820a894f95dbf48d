// Row-wise mixtures of normals. Twin of condensity/kernels/reference/mixture.py.
//
// For row i and point y, with z = (y − μ_ik)/σ_ik,
//
//     log p(y) = logsumexp_k [ log π_ik − ½ z² − log σ_ik − ½ log 2π ].
//
// Every lane holds one (row, point) pair and adds its components in the order k = 0, 1, …, so a value has the same bits
// wherever it stands in a batch and however the lanes were filled. Tails are padded lanes of the same code.
#pragma once

#include "kernels.hpp"
#include "math.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t component_block = 64;  // components a block: 16 KiB of scratch at 8 lanes
constexpr size_t point_block = 64;      // points that share a row's constants

inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

// log Σ e^t over the terms seen so far = shift(peak) + log(sum), where sum = Σ e^(t − shift(peak)).
struct RunningSum {
    Lanes peak;  // largest term, −inf at the start; never NaN: a NaN term shows in `sum`
    Lanes sum;
};

inline RunningSum empty_sum() { return {broadcast(-infinity), broadcast(0.0)}; }

// What is subtracted before exp: the peak, but 0 for an infinite one, since inf − inf is NaN.
inline Lanes shift(Lanes peak) { return select(is_finite(peak), peak, broadcast(0.0)); }

inline Lanes log_of(const RunningSum& running) { return shift(running.peak) + logarithm(running.sum); }

// Up to component_block components: of one row, value [k]; or of every lane's own row, value [k·width + lane].
struct ComponentBlock {
    alignas(64) double constants[component_block * width];  // log weights, then log π − log σ − ½ log 2π
    alignas(64) double means[component_block * width];
    alignas(64) double scales[component_block * width];

    // constant ← log π − log σ − ½ log 2π over the first `length` values, a multiple of width.
    void finish(size_t length) {
        for (size_t i = 0; i < length; i += width) {
            const Lanes log_scale = logarithm(load(scales + i));
            store(constants + i, load(constants + i) - log_scale - broadcast(half_log_2pi));
        }
    }
};

struct OneRow {
    static Lanes get(const double* values, size_t k) { return broadcast(values[k]); }
};

struct RowPerLane {
    static Lanes get(const double* values, size_t k) { return load(values + k * width); }
};

// Adds the terms of `count` components at y: first their maximum, then the sum of exp(term − maximum).
template <class Layout>
inline RunningSum add_components(const RunningSum& before, const ComponentBlock& block, size_t count, Lanes y) {
    alignas(64) double terms[component_block * width];
    Lanes peak = before.peak;
    for (size_t k = 0; k < count; ++k) {
        // Divided, not multiplied by 1/σ, which would overflow for σ < 1e-308 and cost digits elsewhere.
        const Lanes z = (y - Layout::get(block.means, k)) / Layout::get(block.scales, k);
        const Lanes term = fused(z * broadcast(-0.5), z, Layout::get(block.constants, k));
        store(terms + k * width, term);
        peak = larger(term, peak);
    }
    const Lanes subtracted = shift(peak);
    Lanes sum = before.sum * exponential(before.peak - subtracted);
    for (size_t k = 0; k < count; ++k) sum = sum + exponential(load(terms + k * width) - subtracted);
    return {peak, sum};
}

// Lanes over points: components first … first + count of one row, padded to whole lanes with standard normals.
inline void gather_row(const MixtureBatch& batch, size_t row, size_t first, size_t count, ComponentBlock& block) {
    const size_t start = row * batch.components + first;
    const size_t padded = (count + width - 1) / width * width;
    for (size_t k = 0; k < padded; ++k) {
        block.constants[k] = k < count ? batch.log_weights[start + k] : 0.0;
        block.means[k] = k < count ? batch.means[start + k] : 0.0;
        block.scales[k] = k < count ? batch.scales[start + k] : 1.0;
    }
    block.finish(padded);
}

// Lanes over (row, point) pairs: the same components of every lane's own row, transposed.
inline void gather_lanes(const MixtureBatch& batch, const size_t (&rows)[width], size_t first, size_t count,
                         ComponentBlock& block) {
    for (size_t lane = 0; lane < width; ++lane) {
        const size_t start = rows[lane] * batch.components + first;
        for (size_t k = 0; k < count; ++k) {
            block.constants[k * width + lane] = batch.log_weights[start + k];
            block.means[k * width + lane] = batch.means[start + k];
            block.scales[k * width + lane] = batch.scales[start + k];
        }
    }
    block.finish(count * width);
}

// One row at `count` ≤ point_block points; unused lanes repeat the first point.
inline void evaluate_points(const MixtureBatch& batch, size_t row, const double* y, size_t count, double* result) {
    ComponentBlock block;
    RunningSum running[point_block / width];
    alignas(64) double values[point_block];
    for (size_t j = 0; j < point_block; ++j) values[j] = y[j < count ? j : 0];
    const size_t groups = (count + width - 1) / width;
    for (size_t j = 0; j < groups; ++j) running[j] = empty_sum();
    for (size_t first = 0; first < batch.components; first += component_block) {
        const size_t components = least(component_block, batch.components - first);
        gather_row(batch, row, first, components, block);
        for (size_t j = 0; j < groups; ++j)
            running[j] = add_components<OneRow>(running[j], block, components, load(values + j * width));
    }
    for (size_t j = 0; j < groups; ++j) store(values + j * width, log_of(running[j]));
    for (size_t j = 0; j < count; ++j) result[j] = values[j];
}

// `count` ≤ width consecutive (row, point) pairs from the flat index `start`; unused lanes repeat the first pair.
inline void evaluate_pairs(const MixtureBatch& batch, size_t start, size_t count, double* result) {
    ComponentBlock block;
    size_t rows[width];
    alignas(64) double values[width];
    for (size_t lane = 0; lane < width; ++lane) {
        const size_t pair = start + (lane < count ? lane : 0);
        rows[lane] = pair / batch.points;
        values[lane] = batch.y[pair];
    }
    RunningSum running = empty_sum();
    for (size_t first = 0; first < batch.components; first += component_block) {
        const size_t components = least(component_block, batch.components - first);
        gather_lanes(batch, rows, first, components, block);
        running = add_components<RowPerLane>(running, block, components, load(values));
    }
    store(values, log_of(running));
    for (size_t lane = 0; lane < count; ++lane) result[start + lane] = values[lane];
}

inline void mixture_logpdf(const MixtureBatch& batch, double* result) {
    const size_t pairs = batch.rows * batch.points;
    if (batch.points < width) {  // too few points to fill the lanes from one row
        for (size_t start = 0; start < pairs; start += width)
            evaluate_pairs(batch, start, least(width, pairs - start), result);
        return;
    }
    for (size_t row = 0; row < batch.rows; ++row)
        for (size_t point = 0; point < batch.points; point += point_block) {
            const size_t start = row * batch.points + point;
            evaluate_points(batch, row, batch.y + start, least(point_block, batch.points - point), result + start);
        }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
