// The continuous ranked probability score of row-wise mixtures, in closed form (Grimit et al. 2006):
//
//     CRPS(y) = Σ_i π_i A(y − μ_i, σ_i) − ½ Σ_ij π_i π_j A(μ_i − μ_j, √(σ_i² + σ_j²)),
//     A(m, s) = E|m + s Z| = |m| + 2 s (φ(a) − a Φ(−a)),   a = |m|/s.
//
// Twin of condensity/engines/reference/scores.py.
#pragma once

#include "probability.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// A(m, s) − |m|, which is ≥ 0.
inline Lanes excess_of_magnitude(Lanes size, Lanes s) {
    const Lanes a = smaller(broadcast(farthest), size / s);
    const NormalTail tail = normal_tail(a);
    const Lanes rest = larger(tail.density - a * tail.probability, broadcast(0.0));
    return broadcast(2.0) * s * rest;
}

inline Lanes mean_magnitude(Lanes m, Lanes s) {
    const Lanes size = magnitude(m);
    return size + excess_of_magnitude(size, s);
}

// √(a² + b²) without overflow, for a, b > 0.
inline Lanes hypotenuse(Lanes a, Lanes b) {
    const Lanes large = larger(a, b), ratio = smaller(a, b) / large;
    return large * square_root(fused(ratio, ratio, broadcast(1.0)));
}

struct RankedProbabilityScore {
    // π, and in `shared` half the mean distance between two draws of the row.
    template <class Layout>
    static void prepare(Components& c) {
        prepare_weights<Layout>(c);
        const Lanes two_over_root_2pi = broadcast(2.0 * one_over_root_2pi * 0.7071067811865476);
        Lanes half_distance = broadcast(0.0);
        for (size_t i = 0; i < c.count; ++i) {
            const Lanes weight = Layout::get(c.weights, i), mean = Layout::get(c.means, i), scale = Layout::get(c.scales, i);
            // The pair (i, i): A(0, σ√2) = 2σ/√π, half of it.
            Lanes sum = weight * scale * two_over_root_2pi;
            for (size_t j = 0; j < i; ++j) {
                const Lanes spread = hypotenuse(scale, Layout::get(c.scales, j));
                sum = fused(Layout::get(c.weights, j), mean_magnitude(mean - Layout::get(c.means, j), spread), sum);
            }
            half_distance = fused(weight, sum, half_distance);
        }
        store(c.shared, half_distance);
    }

    template <class Layout>
    static Lanes evaluate(const Components& c, Lanes y) {
        Lanes sum = broadcast(0.0);
        for (size_t k = 0; k < c.count; ++k)
            sum = fused(Layout::get(c.weights, k),
                        mean_magnitude(y - Layout::get(c.means, k), Layout::get(c.scales, k)), sum);
        return sum - load(c.shared);
    }
};

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
