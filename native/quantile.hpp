// Quantiles of row-wise mixtures: the exact inverse of the distribution functions, in log space.
//
// In the mirrored variable x = sign·y, where the tail asked for is the lower one, the root of
//
//     f(x) = log F(x) − t,   t = min(log p, log(1 − p)) ≤ log ½,
//
// is found by Halley's method on log F, kept inside the exact bracket [min_k, max_k] of the component quantiles. A step that
// leaves the bracket, or fails to halve the step before it, is replaced by a bisection, so flat gaps between modes cost
// bisections, never a crawl. Lanes hold different rows at one level, or different levels of one row; a lane that has
// settled is frozen, so its result does not depend on its neighbours. Twin of condensity/kernels/reference/mixture.py.
#pragma once

#include "probability.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// Components e^−40 times lighter than the tail asked for cannot move its quantile by more than rounding.
constexpr double negligible_log_share = -40.0;

// Below this level the sums are taken in log space: e^−640 is far enough above `deep` for every iterate near the root.
constexpr double deep_level = -600.0;

constexpr int iteration_limit = 5000;  // bisection of the whole float range takes 2100

// log F(x), and F′/F and F″/F in units of the row's widest scale.
struct Expansion {
    Lanes value, first, second;
};

struct QuantileFunction {
    template <class Layout>
    static void prepare(Components& c) {
        prepare_weights<Layout>(c);
        // Derivatives are in units of the row's widest scale, which keeps 1/σ² in range and powers of two exact.
        Lanes unit = Layout::get(c.scales, 0);
        for (size_t k = 1; k < c.count; ++k) unit = larger(Layout::get(c.scales, k), unit);
        store(c.shared, unit);
        for (size_t i = 0; i < Layout::length(c.count); i += width) {
            const Lanes inverse = unit / load(c.scales + i);
            store(c.constants + i, inverse);
            store(c.densities + i, load(c.weights + i) * inverse);
        }
    }

    // F, F′ and F″ as sums of positive and of signed terms; one exponential a component.
    template <class Layout>
    static Expansion expand(const Components& c, Lanes y, Lanes sign) {
        const Lanes zero = broadcast(0.0);
        Lanes value = zero, first = zero, second = zero;
        for (size_t k = 0; k < c.count; ++k) {
            const Lanes z = sign * (y - Layout::get(c.means, k)) / Layout::get(c.scales, k);
            const Lanes weight = Layout::get(c.weights, k);
            const NormalTail tail = normal_tail(magnitude(z));
            const Lanes outer = weight * tail.probability;
            value = value + select(z < zero, outer, weight - outer);
            const Lanes density = Layout::get(c.densities, k) * tail.density;
            first = first + density;
            second = second - density * Layout::get(c.constants, k) * z;
        }
        return {logarithm(value), first / value, second / value};
    }

    // The same where F itself underflows: every sum is divided by e^peak.
    template <class Layout>
    static Expansion expand_deep(const Components& c, Lanes y, Lanes sign) {
        const Lanes zero = broadcast(0.0);
        Lanes peak = broadcast(-infinity);
        for (size_t k = 0; k < c.count; ++k) {
            const Lanes z = sign * (y - Layout::get(c.means, k)) / Layout::get(c.scales, k);
            const Lanes square = select(z < zero, z * z, zero);
            const Lanes exponent = fused(square, broadcast(-0.5), Layout::get(c.log_weights, k));
            store(c.terms + k * width, exponent);
            peak = larger(exponent, peak);
        }
        const Lanes subtracted = shift(peak);
        Lanes value = zero, first = zero, second = zero;
        for (size_t k = 0; k < c.count; ++k) {
            const Lanes z = sign * (y - Layout::get(c.means, k)) / Layout::get(c.scales, k);
            const Lanes a = magnitude(z);
            const Mask below = z < zero;
            const Lanes share = exponential(load(c.terms + k * width) - subtracted);
            const NormalTail tail = normal_tail(a);
            const Lanes factor = select(below, far_tail_ratio(a), broadcast(1.0) - tail.probability);
            const Lanes shape = select(below, broadcast(one_over_root_2pi), tail.density);
            const Mask absent = share == zero;
            const Lanes density = select(absent, zero, share * shape * Layout::get(c.constants, k));
            value = value + select(absent, zero, share * factor);
            first = first + density;
            second = second - select(absent, zero, density * Layout::get(c.constants, k) * z);
        }
        return {subtracted + logarithm(value), first / value, second / value};
    }

    // Quantiles at lower and upper log tails, one of each lane's own; −inf, inf or NaN where there is nothing to solve.
    template <class Layout>
    static Lanes solve(const Components& c, Lanes log_lower, Lanes log_upper) {
        const Lanes zero = broadcast(0.0), one = broadcast(1.0);
        const Mask upper = log_upper < log_lower;
        const Lanes sign = select(upper, broadcast(-1.0), one);
        const Lanes target = select(upper, log_upper, log_lower);
        const Lanes outside = select(target == broadcast(-infinity), sign * broadcast(-infinity), target + log_upper);
        const Mask finite = is_finite(log_lower + log_upper);
        Mask active = finite;
        if (!any(active)) return outside;
        const bool is_deep = any(target < broadcast(deep_level));

        // The bracket, in x; and the components' mean quantile as a start.
        const Lanes unit = load(c.shared), z = -tail_quantile(target);
        const Lanes lightest = target + broadcast(negligible_log_share);
        Lanes low = broadcast(infinity), high = broadcast(-infinity), start = zero, total = zero;
        for (size_t k = 0; k < c.count; ++k) {
            const Lanes scale = Layout::get(c.scales, k), weight = Layout::get(c.weights, k);
            const Lanes quantile = fused(scale, z, sign * Layout::get(c.means, k));
            const Mask light = Layout::get(c.log_weights, k) < lightest;
            low = select(light, low, smaller(quantile, low));
            high = select(light, high, larger(quantile, high));
            start = fused(weight, quantile, start);
            total = total + weight;
        }
        const Lanes margin = fused(larger(magnitude(low), magnitude(high)), broadcast(1e-15), unit * broadcast(1e-9));
        low = low - margin;
        high = high + margin;
        Lanes x = larger(low, smaller(high, start / total));
        Lanes before = high - low;  // the length of the step before
        Lanes root = x;
        for (int i = 0; i < iteration_limit && any(active); ++i) {
            const Lanes y = sign * x;
            Expansion e = expand<Layout>(c, y, sign);
            if (is_deep) {
                const Expansion d = expand_deep<Layout>(c, y, sign);
                const Mask use = target < broadcast(deep_level);
                e = {select(use, d.value, e.value), select(use, d.first, e.first), select(use, d.second, e.second)};
            }
            const Lanes f = e.value - target;
            low = select(f < zero, x, low);
            high = select(zero < f, x, high);
            // f′ = F′/F and f″ = F″/F − f′²; Halley: step = −2 f f′ / (2 f′² − f f″).
            const Lanes curvature = e.second - e.first * e.first;
            const Lanes newton = -f / e.first;
            const Lanes bend = newton * curvature / e.first;
            const Lanes step = unit * newton / fused(bend, broadcast(0.5), one);
            const Lanes ahead = x + step;
            const Mask trusted = (low < ahead) & (ahead < high) & (magnitude(step) < before * broadcast(0.5)) &
                                 (broadcast(-1.0) < bend) & (bend < one);
            const Lanes middle = fused(high - low, broadcast(0.5), low);
            const Lanes next = select(trusted, ahead, middle);
            // Halley's next error is about bend²·f; so small, it need not be looked at.
            const Mask close = trusted & (magnitude(bend) < broadcast(1e-4)) & (magnitude(f) < broadcast(1e-5));
            const Mask exact = f == zero;
            const Mask stuck = (next == x) | (next == low) | (next == high);
            const Mask done = close | exact | stuck;
            root = select(active, select(exact, x, select(f == f, next, f)), root);
            before = select(trusted, magnitude(step), high - low);
            // Not done: a lane stays active; one whose f is NaN is given up.
            active = active & !done & (f == f);
            x = select(active, next, x);
        }
        return select(finite, sign * root, outside);
    }
};

// Lanes over rows, one level after the other; or, where the rows are too few to fill them, over the levels of one row.
inline void mixture_quantile(const MixtureBatch& batch, const MatrixView& log_lower, const MatrixView& log_upper,
                             double* scratch, double* result) {
    Components c = place(scratch, batch.components);
    const size_t levels = log_lower.columns;
    alignas(64) double lower[width], upper[width], values[width];
    size_t rows[width];
    const bool rows_in_lanes = batch.rows >= width;
    const size_t outer = rows_in_lanes ? (batch.rows + width - 1) / width : batch.rows;
    const size_t inner = rows_in_lanes ? levels : (levels + width - 1) / width;
    for (size_t group = 0; group < outer; ++group) {
        for (size_t lane = 0; lane < width; ++lane)
            rows[lane] = rows_in_lanes ? least(group * width + lane, batch.rows - 1) : group;
        if (rows_in_lanes) {
            gather_lanes(batch, rows, c);
            QuantileFunction::prepare<RowPerLane>(c);
        } else {
            gather_row(batch, group, c);
            QuantileFunction::prepare<OneRow>(c);
        }
        for (size_t j = 0; j < inner; ++j) {
            const size_t first = rows_in_lanes ? j : j * width;
            for (size_t lane = 0; lane < width; ++lane) {
                const size_t level = rows_in_lanes ? first : least(first + lane, levels - 1);
                lower[lane] = log_lower.row(rows[lane])[level];
                upper[lane] = log_upper.row(rows[lane])[level];
            }
            const Lanes root = rows_in_lanes ? QuantileFunction::solve<RowPerLane>(c, load(lower), load(upper))
                                             : QuantileFunction::solve<OneRow>(c, load(lower), load(upper));
            store(values, root);
            const size_t used = rows_in_lanes ? least(width, batch.rows - group * width) : least(width, levels - first);
            for (size_t lane = 0; lane < used; ++lane)
                result[rows[lane] * levels + first + (rows_in_lanes ? 0 : lane)] = values[lane];
        }
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
