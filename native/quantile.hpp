// Quantiles of row-wise mixtures: the exact inverse of the distribution functions, in log space.
//
// In the mirrored variable x = sign·y, where the tail asked for is the lower one, the root of
//
//     f(x) = log F(x) − t,   t = min(log p, log(1 − p)) ≤ log ½,
//
// is found by Halley's method on log F, kept inside the exact bracket [min_k, max_k] of the component quantiles. A step that
// leaves the bracket, or fails to halve the step before it, is replaced by a bisection, so flat gaps between modes cost
// bisections, never a crawl. Lanes hold different rows, or different levels of one row; a lane that has found its quantile
// goes on to its next level while the others still search, and no result depends on the neighbours.
// Twin of condensity/engines/reference/mixture.py.
#pragma once

#include "probability.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// Components e^−40 times lighter than the tail asked for cannot move its quantile by more than rounding.
constexpr double negligible_log_share = -40.0;

// Below this level the sums are taken in log space: e^−640 is far enough above `deep` for every iterate near the root.
constexpr double deep_level = -600.0;

// Farther out the survey is too rough, and searches start from the components' mean quantile.
constexpr double surveyed_share = 0.005;

constexpr int iteration_limit = 5000;  // a level: bisection of the whole float range takes 2100

// Levels of a lane that are prepared at a time.
constexpr size_t most_levels = 32;

// Points of the survey for every component: the mean, and 1.5 σ to both sides.
constexpr size_t around = 3;

// What is asked of every lane, value [j·width + lane] for its j-th level.
struct Questions {
    alignas(64) double target[most_levels * width];                                  // t; NaN where there is nothing to solve
    alignas(64) double sign[most_levels * width];
    alignas(64) double low[most_levels * width], high[most_levels * width];          // bracket, in x
    alignas(64) double start[most_levels * width];                                   // where to begin, in x
    alignas(64) double answer[most_levels * width];                                  // y
};

// log F(x), and F′/F and F″/F in units of the row's widest scale.
struct Expansion {
    Lanes value, first, second;
};

struct QuantileFunction {
    template <class Layout>
    static void prepare(Components& c) {
        prepare_weights<Layout>(c);
        // Derivatives are in units of the row's widest scale, which keeps 1/σ² in range and powers of two exact.
        Lanes unit = Layout::get(c.scales, 0), narrowest = unit;
        for (size_t k = 1; k < c.count; ++k) {
            unit = larger(Layout::get(c.scales, k), unit);
            narrowest = smaller(Layout::get(c.scales, k), narrowest);
        }
        store(c.shared, unit);
        store(c.shared + width, narrowest);
        c.subnormal = any(narrowest < broadcast(0x1p-1022));
        for (size_t i = 0; i < Layout::length(c.count); i += width) {
            const Lanes scale = load(c.scales + i), relative = unit / scale;
            store(c.inverses + i, broadcast(1.0) / scale);
            store(c.constants + i, relative);
            store(c.densities + i, load(c.weights + i) * relative * broadcast(one_over_root_2pi));
        }
    }

    // The distribution function at three points around every mean, within about .01: whence searches start.
    template <class Layout>
    static void survey(Components& c) {
        for (size_t part = 0; part < around; ++part)
            for (size_t i = 0; i < Layout::length(c.count); i += width) {
                const Lanes point = fused(load(c.scales + i), broadcast(part * 1.5 - 1.5), load(c.means + i));
                Lanes height = broadcast(0.0);
                for (size_t k = 0; k < c.count; ++k) {
                    // Φ(z) ≈ ½ + z (.4 − .0781 |z|), which reaches 0 and 1 at ∓2.2.
                    const Lanes z = smaller((point - Layout::get(c.means, k)) * Layout::get(c.inverses, k), broadcast(2.2));
                    const Lanes bounded = larger(z, broadcast(-2.2));
                    const Lanes slope = fused(magnitude(bounded), broadcast(-0.0781), broadcast(0.4));
                    height = fused(Layout::get(c.weights, k), fused(bounded, slope, broadcast(0.5)), height);
                }
                store(c.points + part * c.size + i, point);
                store(c.heights + part * c.size + i, height);
            }
    }

    // About the p-quantile by linear interpolation between the points of the survey; not finite where p is beyond them.
    template <class Layout>
    static Lanes interpolate(const Components& c, Lanes p) {
        const Lanes none_below = broadcast(-infinity), none_above = broadcast(infinity);
        Lanes left = none_below, right = none_above, bottom = none_below, top = none_above;
        for (size_t part = 0; part < around; ++part)
            for (size_t k = 0; k < c.count; ++k) {
                const Lanes point = Layout::get(c.points + part * c.size, k);
                const Lanes height = Layout::get(c.heights + part * c.size, k);
                const Mask below = height < p;
                left = larger(select(below, point, none_below), left);
                bottom = larger(select(below, height, none_below), bottom);
                right = smaller(select(below, none_above, point), right);
                top = smaller(select(below, none_above, height), top);
            }
        return fused((p - bottom) / (top - bottom), right - left, left);
    }

    // F, F′ and F″ as sums of positive and of signed terms; one exponential a component. In two passes, since a machine that
    // looks ahead sees more than one component only if there are few instructions to each.
    template <class Layout, bool subnormal>
    static Expansion expand(const Components& c, Lanes x, Lanes sign) {
        const Lanes zero = broadcast(0.0);
        for (size_t k = 0; k < c.count; ++k) {
            const Lanes difference = fused(Layout::get(c.means, k), -sign, x), inverse = Layout::get(c.inverses, k);
            Lanes z = difference * inverse;
            if (subnormal) z = select(is_finite(inverse), z, difference / Layout::get(c.scales, k));
            store(c.terms + k * width, z);
            store(c.more_terms + k * width, exponential_or_zero(z * z * broadcast(-0.5)));
        }
        Lanes value = zero, first = zero, second = zero;
        for (size_t k = 0; k < c.count; ++k) {
            const Lanes z = load(c.terms + k * width), gaussian = load(c.more_terms + k * width);
            const Lanes weight = Layout::get(c.weights, k);
            const Lanes outer = weight * gaussian * tail_ratio(smaller(broadcast(farthest), magnitude(z)));
            value = value + select(z < zero, outer, weight - outer);
            const Lanes density = Layout::get(c.densities, k) * gaussian;
            first = first + density;
            second = fused(density * Layout::get(c.constants, k), -z, second);
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

    // Level j of every lane, from its lower and upper log tails and z, where Φ(z) is the smaller one.
    template <class Layout>
    static void ask(const Components& c, Questions& q, size_t j, Lanes log_lower, Lanes log_upper, Lanes z) {
        const Lanes zero = broadcast(0.0);
        const Mask upper = log_upper < log_lower;
        const Lanes sign = select(upper, broadcast(-1.0), broadcast(1.0));
        const Lanes target = select(upper, log_upper, log_lower);
        const Lanes lightest = target + broadcast(negligible_log_share);
        Lanes low = broadcast(infinity), high = broadcast(-infinity), mean_quantile = zero;
        for (size_t k = 0; k < c.count; ++k) {
            const Lanes quantile = fused(Layout::get(c.scales, k), z, sign * Layout::get(c.means, k));
            const Mask light = Layout::get(c.log_weights, k) < lightest;
            low = select(light, low, smaller(quantile, low));
            high = select(light, high, larger(quantile, high));
            mean_quantile = fused(Layout::get(c.weights, k), quantile, mean_quantile);
        }
        const Lanes margin =
            fused(larger(magnitude(low), magnitude(high)), broadcast(1e-15), load(c.shared) * broadcast(1e-9));
        low = low - margin;
        high = high + margin;
        const Lanes share = exponential_or_zero(target);
        const Lanes start = sign * interpolate<Layout>(c, select(upper, broadcast(1.0) - share, share));
        const Mask surveyed = is_finite(start) & (broadcast(surveyed_share) < share);
        const size_t i = j * width;
        const Mask finite = is_finite(log_lower + log_upper);
        store(q.target + i, select(finite, target, broadcast(infinity) - broadcast(infinity)));
        store(q.sign + i, sign);
        store(q.low + i, low);
        store(q.high + i, high);
        store(q.start + i, larger(smaller(select(surveyed, start, mean_quantile), high), low));
        store(q.answer + i, select(target == broadcast(-infinity), sign * broadcast(-infinity), target + log_upper));
    }

    // Search for the answers to the first `levels` questions of every lane.
    template <class Layout>
    static void solve(const Components& c, Questions& q, size_t levels) {
        const Lanes zero = broadcast(0.0), one = broadcast(1.0), unit = load(c.shared),
                    narrowest = load(c.shared + width);
        Lanes x = zero, low = zero, high = zero, before = zero, target = zero, sign = zero, next = zero;
        Lanes f_low = zero, f_high = zero;  // f at the bracket's ends, infinite where it was not looked at
        Mask active = zero < zero, done = zero == zero;  // at first every lane takes up a question
        size_t level[width];
        for (size_t lane = 0; lane < width; ++lane) level[lane] = levels;
        bool is_first = true, is_deep = false;
        for (size_t i = 0; i < iteration_limit * levels; ++i) {
            if (any(done)) {
                alignas(64) double s[10][width];
                const Lanes state[10] = {x,    low,   high,   before, target,
                                         sign, f_low, f_high, select(active, one, zero), select(done, one, zero)};
                for (size_t part = 0; part < 10; ++part) store(s[part], state[part]);
                alignas(64) double found[width];
                store(found, sign * next);
                for (size_t lane = 0; lane < width; ++lane) {
                    if (s[9][lane] == 0.0) continue;
                    size_t j = 0;
                    if (!is_first) {
                        q.answer[level[lane] * width + lane] = found[lane];
                        j = level[lane] + 1;
                    }
                    while (j < levels && !(q.target[j * width + lane] == q.target[j * width + lane])) ++j;
                    level[lane] = j;
                    s[8][lane] = j < levels ? 1.0 : 0.0;
                    if (j == levels) continue;  // idle: its last question is asked over and over
                    const size_t at = j * width + lane;
                    s[0][lane] = q.start[at];
                    s[1][lane] = q.low[at];
                    s[2][lane] = q.high[at];
                    s[3][lane] = q.high[at] - q.low[at];
                    s[4][lane] = q.target[at];
                    s[5][lane] = q.sign[at];
                    s[6][lane] = -infinity;
                    s[7][lane] = infinity;
                }
                x = load(s[0]);
                low = load(s[1]);
                high = load(s[2]);
                before = load(s[3]);
                target = load(s[4]);
                sign = load(s[5]);
                f_low = load(s[6]);
                f_high = load(s[7]);
                active = zero < load(s[8]);
                if (!any(active)) return;
                is_deep = any(active & (target < broadcast(deep_level)));
                is_first = false;
            }
            Expansion e = c.subnormal ? expand<Layout, true>(c, x, sign) : expand<Layout, false>(c, x, sign);
            if (is_deep) {
                const Expansion d = expand_deep<Layout>(c, sign * x, sign);
                const Mask use = target < broadcast(deep_level);
                e = {select(use, d.value, e.value), select(use, d.first, e.first), select(use, d.second, e.second)};
            }
            const Lanes f = e.value - target;
            const Mask under = f < zero, over = zero < f;
            low = select(under, x, low);
            high = select(over, x, high);
            f_low = select(under, f, f_low);
            f_high = select(over, f, f_high);
            // f′ = F′/F and f″ = F″/F − f′²; Halley: step = −2 f f′ / (2 f′² − f f″).
            const Lanes curvature = e.second - e.first * e.first;
            const Lanes newton = -f / e.first;
            const Lanes bend = newton * curvature / e.first;
            const Lanes step = unit * newton / fused(bend, broadcast(0.5), one);
            const Lanes ahead = x + step;
            const Mask trusted = (low < ahead) & (ahead < high) & (magnitude(step) < before * broadcast(0.5)) &
                                 (broadcast(-1.0) < bend) & (bend < one);
            const Lanes middle = fused(high - low, broadcast(0.5), low);
            next = select(trusted, ahead, middle);
            // Halley's next error is about bend²·f; so small, it need not be looked at, unless the step may have passed a component
            // so narrow that it is not felt here.
            const Mask close = trusted & (magnitude(bend) < broadcast(1e-4)) & (magnitude(f) < broadcast(1e-5)) &
                               (magnitude(step) < narrowest);
            // Where the ends are neighbouring floats, the answer is the better one.
            const Mask neighbours = (next == low) | (next == high), stuck = (next == x) | neighbours;
            const Mask exact = f == zero, lost = !(f == f);
            next = select(neighbours, select(-f_low < f_high, low, high), next);
            next = select(exact, x, select(lost, f, next));
            done = active & (close | stuck | exact | lost);
            before = select(trusted, magnitude(step), high - low);
            x = select(active, next, x);
        }
    }
};

// z with Φ(z) = the smaller tail, of levels that all rows share.
inline void common_levels(const double* log_lower, const double* log_upper, size_t count, double* z) {
    alignas(64) double values[width];
    for (size_t j = 0; j < count; j += width) {
        for (size_t lane = 0; lane < width; ++lane) {
            const size_t i = least(j + lane, count - 1);
            values[lane] = log_lower[i] < log_upper[i] ? log_lower[i] : log_upper[i];
        }
        store(values, -tail_quantile(load(values)));
        for (size_t lane = 0; lane < least(width, count - j); ++lane) z[j + lane] = values[lane];
    }
}

// Levels of a stretch, in lanes over rows or, where the rows are too few to fill them, over the levels of one row.
inline void mixture_quantile(const MixtureBatch& batch, const MatrixView& log_lower, const MatrixView& log_upper,
                             double* scratch, double* result) {
    Components c = place(scratch, batch.components);
    Questions q;
    const size_t levels = log_lower.columns;
    const bool rows_in_lanes = batch.rows >= width;
    const bool shared = rows_in_lanes && log_lower.row_stride == 0 && log_upper.row_stride == 0;
    const size_t together = rows_in_lanes ? most_levels : most_levels * width, rows_together = rows_in_lanes ? width : 1;
    alignas(64) double lower[width], upper[width], z[most_levels];
    for (size_t begin = 0; begin < levels; begin += together) {
        const size_t end = least(begin + together, levels);
        if (shared) common_levels(log_lower.row(0) + begin, log_upper.row(0) + begin, end - begin, z);
        const size_t count = rows_in_lanes ? end - begin : (end - begin + width - 1) / width;
        for (size_t first = 0; first < batch.rows; first += rows_together) {
            size_t rows[width];
            for (size_t lane = 0; lane < width; ++lane) rows[lane] = rows_in_lanes ? least(first + lane, batch.rows - 1) : first;
            const auto level_of = [&](size_t j, size_t lane) {
                return rows_in_lanes ? begin + j : least(begin + j * width + lane, end - 1);
            };
            if (rows_in_lanes) {
                gather_lanes(batch, rows, c);
                QuantileFunction::prepare<RowPerLane>(c);
                QuantileFunction::survey<RowPerLane>(c);
            } else {
                gather_row(batch, first, c);
                QuantileFunction::prepare<OneRow>(c);
                QuantileFunction::survey<OneRow>(c);
            }
            for (size_t j = 0; j < count; ++j) {
                for (size_t lane = 0; lane < width; ++lane) {
                    lower[lane] = log_lower.row(rows[lane])[level_of(j, lane)];
                    upper[lane] = log_upper.row(rows[lane])[level_of(j, lane)];
                }
                const Lanes l = load(lower), u = load(upper);
                const Lanes start = shared ? broadcast(z[j]) : -tail_quantile(smaller(l, u));
                if (rows_in_lanes)
                    QuantileFunction::ask<RowPerLane>(c, q, j, l, u, start);
                else
                    QuantileFunction::ask<OneRow>(c, q, j, l, u, start);
            }
            if (rows_in_lanes)
                QuantileFunction::solve<RowPerLane>(c, q, count);
            else
                QuantileFunction::solve<OneRow>(c, q, count);
            for (size_t lane = 0; lane < (rows_in_lanes ? least(width, batch.rows - first) : width); ++lane)
                for (size_t j = 0; j < count; ++j)
                    result[rows[lane] * levels + level_of(j, lane)] = q.answer[j * width + lane];
        }
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
