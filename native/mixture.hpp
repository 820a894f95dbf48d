// Row-wise mixtures of normals: how rows and points are laid in lanes, and the log density.
//
// For row i and point y, with z = (y − μ_ik)/σ_ik,
//
//     log p(y) = logsumexp_k [ log π_ik − ½ z² − log σ_ik − ½ log 2π ].
//
// Every lane holds one (row, point) pair and adds its components in the order k = 0, 1, …, so a value has the same bits
// wherever it stands in a batch and however the lanes were filled. Tails are padded lanes of the same code.
// Twin of condensity/engines/reference/mixture.py.
#pragma once

#include "kernels.hpp"
#include "normal.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

// The components that a group of lanes works on: of one row, value [k]; or of every lane's own row, value
// [k·width + lane]. Pointers into the caller's scratch.
struct Components {
    size_t count;
    double* log_weights;
    double* means;
    double* scales;
    double* weights;           // π
    double* densities;         // 1 / m / √2π; or π times the widest σ over σ, or over σ
    double* constants;         // log π − e log 2 with σ = 2ᵉ m; or the widest σ over σ
    double* terms;             // what an evaluation keeps between two passes
    double* more_terms;
    double* inverses;          // 1 / σ
    double* points;            // three arrays, one after the other: points around every mean
    double* heights;           // three: about the distribution function there
    size_t size;               // of one array
    double* shared;            // two times width numbers about the row as a whole
    bool subnormal;            // some σ is so small that 1/σ overflows
};

constexpr size_t scratch_arrays = 15;

inline size_t scratch_size(size_t components) { return (scratch_arrays * (components + width) + 2) * width; }

inline Components place(double* scratch, size_t count) {
    const size_t size = (count + width) * width;
    const auto array = [=](size_t i) { return scratch + i * size; };
    return {count,    array(0), array(1), array(2), array(3), array(4), array(5), array(6),
            array(7), array(8), array(9), array(12), size,    array(15), false};
}

// Lanes over points: all lanes share one row.
struct OneRow {
    static Lanes get(const double* values, size_t k) { return broadcast(values[k]); }
    static size_t length(size_t count) { return (count + width - 1) / width * width; }
};

// Lanes over rows, or over (row, point) pairs.
struct RowPerLane {
    static Lanes get(const double* values, size_t k) { return load(values + k * width); }
    static size_t length(size_t count) { return count * width; }
};

// One row, padded to whole lanes with standard normals.
inline void gather_row(const MixtureBatch& batch, size_t row, Components& c) {
    const double *w = batch.log_weights.row(row), *mu = batch.means.row(row), *sigma = batch.scales.row(row);
    for (size_t k = 0; k < OneRow::length(c.count); ++k) {
        c.log_weights[k] = k < c.count ? w[k] : 0.0;
        c.means[k] = k < c.count ? mu[k] : 0.0;
        c.scales[k] = k < c.count ? sigma[k] : 1.0;
    }
}

// Every lane's own row, transposed.
inline void gather_lanes(const MixtureBatch& batch, const size_t (&rows)[width], Components& c) {
    for (size_t lane = 0; lane < width; ++lane) {
        const size_t row = rows[lane];
        const double *w = batch.log_weights.row(row), *mu = batch.means.row(row), *sigma = batch.scales.row(row);
        for (size_t k = 0; k < c.count; ++k) {
            c.log_weights[k * width + lane] = w[k];
            c.means[k * width + lane] = mu[k];
            c.scales[k * width + lane] = sigma[k];
        }
    }
}

// result (n, g) ← Function at every point. Function::prepare<Layout>(c) fills what it needs of `c` from log_weights, means
// and scales; Function::evaluate<Layout>(c, y) gives the value of every lane.
template <class Function>
void evaluate_points(const MixtureBatch& batch, const MatrixView& y, Components& c, double* result) {
    alignas(64) double values[width];
    for (size_t row = 0; row < batch.rows; ++row) {
        gather_row(batch, row, c);
        Function::template prepare<OneRow>(c);
        const double* points = y.row(row);
        double* target = result + row * y.columns;
        size_t j = 0;
        for (; j + width <= y.columns; j += width)
            store(target + j, Function::template evaluate<OneRow>(c, load(points + j)));
        if (j == y.columns) continue;
        for (size_t lane = 0; lane < width; ++lane) values[lane] = points[least(j + lane, y.columns - 1)];
        store(values, Function::template evaluate<OneRow>(c, load(values)));
        for (size_t lane = 0; j + lane < y.columns; ++lane) target[j + lane] = values[lane];
    }
}

// The same with too few points to fill the lanes from one row: lanes over consecutive (row, point) pairs.
template <class Function>
void evaluate_pairs(const MixtureBatch& batch, const MatrixView& y, Components& c, double* result) {
    alignas(64) double values[width];
    size_t rows[width];
    const size_t pairs = batch.rows * y.columns;
    for (size_t start = 0; start < pairs; start += width) {
        const size_t count = least(width, pairs - start);
        for (size_t lane = 0; lane < width; ++lane) {
            const size_t pair = start + (lane < count ? lane : 0);
            rows[lane] = pair / y.columns;
            values[lane] = y.row(rows[lane])[pair % y.columns];
        }
        gather_lanes(batch, rows, c);
        Function::template prepare<RowPerLane>(c);
        store(values, Function::template evaluate<RowPerLane>(c, load(values)));
        for (size_t lane = 0; lane < count; ++lane) result[start + lane] = values[lane];
    }
}

template <class Function>
void evaluate_mixture(const MixtureBatch& batch, const MatrixView& y, double* scratch, double* result) {
    Components c = place(scratch, batch.components);
    if (y.columns < width)
        evaluate_pairs<Function>(batch, y, c, result);
    else
        evaluate_points<Function>(batch, y, c, result);
}

// What is subtracted from exponents before exp: their peak, but 0 for an infinite one, since inf − inf is NaN.
inline Lanes shift(Lanes peak) { return select(is_finite(peak), peak, broadcast(0.0)); }

// With σ = 2ᵉ m, the term is e^(log π − ½ z² − e ln 2) / (m √2π): the logarithm of m is never taken.
struct LogDensity {
    template <class Layout>
    static void prepare(Components& c) {
        constexpr double ln2 = ln2_high + ln2_low;
        for (size_t i = 0; i < Layout::length(c.count); i += width) {
            const Lanes sigma = load(c.scales + i), unknown = broadcast(infinity) - broadcast(infinity);
            const Binary scale = split(sigma);
            store(c.constants + i, fused(scale.e, broadcast(-ln2), load(c.log_weights + i)));
            store(c.densities + i, select(broadcast(0.0) < sigma, broadcast(one_over_root_2pi) / scale.m, unknown));
        }
    }

    // The largest exponent, then the sum of exp(exponent − largest)/m. A NaN term shows in the sum.
    template <class Layout>
    static Lanes evaluate(const Components& c, Lanes y) {
        Lanes peak = broadcast(-infinity);
        for (size_t k = 0; k < c.count; ++k) {
            // Divided, not multiplied by 1/σ, which would overflow for σ < 1e-308 and cost digits elsewhere.
            const Lanes z = (y - Layout::get(c.means, k)) / Layout::get(c.scales, k);
            const Lanes term = fused(z * broadcast(-0.5), z, Layout::get(c.constants, k));
            store(c.terms + k * width, term);
            peak = larger(term, peak);
        }
        const Lanes subtracted = shift(peak);
        Lanes sum = broadcast(0.0);
        for (size_t k = 0; k < c.count; ++k)
            sum = fused(exponential_or_zero(load(c.terms + k * width) - subtracted), Layout::get(c.densities, k), sum);
        return subtracted + logarithm(sum);
    }
};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
