// Distribution functions of row-wise mixtures, in log space.
//
//     F(y) = Σ π Φ(z),   S(y) = Σ π Φ(−z),   z = (y − μ)/σ
//
// Both sums have positive terms only, so both keep full relative accuracy; the logarithm of the larger is taken as
// log(mass − smaller). Where the sum wanted underflows, at e^−645, the sum is taken in log space instead.
// Twin of condensity/engines/reference/mixture.py.
#pragma once

#include "mixture.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr double deep = 1e-280;      // below this, sums of e^x have lost terms to underflow
constexpr double complete = 1e-12;   // a mass this close to 1 is rounding

// π from log π; and the row's mass, with log mass, in `shared`.
template <class Layout>
inline void prepare_weights(Components& c) {
    for (size_t i = 0; i < Layout::length(c.count); i += width)
        store(c.weights + i, exponential(load(c.log_weights + i)));
    Lanes mass = broadcast(0.0);
    for (size_t k = 0; k < c.count; ++k) mass = mass + Layout::get(c.weights, k);
    const Mask whole = magnitude(mass - broadcast(1.0)) < broadcast(complete);
    store(c.shared, select(whole, broadcast(1.0), mass));
}

struct Tails {
    Lanes lower, upper;  // F and S
};

template <class Layout>
inline Tails add_tails(const Components& c, Lanes y) {
    Tails sum = {broadcast(0.0), broadcast(0.0)};
    for (size_t k = 0; k < c.count; ++k) {
        const Lanes z = (y - Layout::get(c.means, k)) / Layout::get(c.scales, k);
        const Lanes weight = Layout::get(c.weights, k);
        const Lanes outer = weight * normal_tail(magnitude(z)).probability;
        const Lanes inner = weight - outer;
        const Mask below = z < broadcast(0.0);
        sum.lower = sum.lower + select(below, outer, inner);
        sum.upper = sum.upper + select(below, inner, outer);
    }
    return sum;
}

// log Σ π Φ(sign·z) where the sum itself underflows. Φ(z) = e^(−z²/2) h(|z|) for z < 0, else 1 − Φ(−z); the exponents'
// peak is taken out first.
template <class Layout>
inline Lanes log_tail(const Components& c, Lanes y, Lanes sign) {
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
    Lanes sum = zero;
    for (size_t k = 0; k < c.count; ++k) {
        const Lanes z = sign * (y - Layout::get(c.means, k)) / Layout::get(c.scales, k);
        const Lanes a = magnitude(z);
        const Lanes factor = select(z < zero, far_tail_ratio(a), broadcast(1.0) - normal_tail(a).probability);
        const Lanes share = exponential(load(c.terms + k * width) - subtracted);
        sum = sum + select(share == zero, zero, share * factor);  // 0·h(inf) would be fine, 0·NaN not
    }
    return subtracted + logarithm(sum);
}

template <int sign>
struct LogProbability {
    template <class Layout>
    static void prepare(Components& c) {
        prepare_weights<Layout>(c);
    }

    template <class Layout>
    static Lanes evaluate(const Components& c, Lanes y) {
        const Tails tails = add_tails<Layout>(c, y);
        const Lanes near = sign > 0 ? tails.lower : tails.upper;
        const Lanes far = sign > 0 ? tails.upper : tails.lower;
        const Lanes mass = load(c.shared);
        const Lanes share = smaller(far / mass, broadcast(1.0));
        const Lanes value = select(far < near, logarithm(mass) + logarithm_of_rest(share), logarithm(near));
        const Mask underflow = near < broadcast(deep);
        if (!any(underflow)) return value;
        return select(underflow, log_tail<Layout>(c, y, broadcast(sign)), value);
    }
};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
