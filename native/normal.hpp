// The standard normal: tail probabilities, their logarithm and its inverse. Coefficients: native/tests/derive_coefficients.py.
//
// Everything is written in h(a) = e^(a²/2) Φ(−a) = ½ erfcx(a/√2) for a ≥ 0, which falls from ½ like 1/(a √2π) and so
// neither underflows nor cancels.
#pragma once

#include "math.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr double one_over_root_2pi = 0.3989422804014327;
constexpr double farthest = 40.0;  // e^(−40²/2) is 0 in float64, and the fit of h ends here

// h(a) for 0 ≤ a ≤ 40: P/Q with positive coefficients only, so nothing cancels; the fit errs by 5.4e-17.
inline Lanes tail_ratio(Lanes a) {
    static constexpr double P[] = {
        0x1.0000000000000p-1, 0x1.8d0bdca6a957fp-1, 0x1.309a3299302b6p-1, 0x1.28ebb0275176ep-2,  0x1.9155515b375d8p-4,
        0x1.8471a70cd7567p-6, 0x1.0d32f9c537f14p-8, 0x1.0282c7fc4add2p-11, 0x1.3a884e727ff92p-15, 0x1.76da81da1c30ep-20,
    };
    static constexpr double Q[] = {
        0x1.0000000000000p+0,  0x1.2ca70322a583cp+1, 0x1.482fe3bc0f940p+1,  0x1.b79ad92bc0466p+0,
        0x1.91509faefc978p-1,  0x1.05d96c31794a3p-2, 0x1.f0e8e92d0836ap-5,  0x1.54788773ca5a2p-7,
        0x1.44e9b4e9ffbf3p-10, 0x1.8a353d07592b8p-14, 0x1.d5cf2abe8132dp-19,
    };
    return polynomial(P, a) / polynomial(Q, a);
}

// h(a) for every a ≥ 0, inf included: beyond 40 its asymptotic series (7.1.23 in Abramowitz and Stegun), cut off at 5e-18.
inline Lanes far_tail_ratio(Lanes a) {
    static constexpr double series[] = {1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0};
    const Lanes inverse = broadcast(1.0) / a;
    const Lanes far = broadcast(one_over_root_2pi) * inverse * polynomial(series, inverse * inverse);
    return select(broadcast(farthest) < a, far, tail_ratio(smaller(broadcast(farthest), a)));
}

// e^(−a²/2), 0 from 37.7 on. The square's rounding error is put back, else it would cost a² ulp.
inline Lanes gaussian(Lanes a) {
    const Lanes square = a * a;
    const Lanes lost = fused(a, a, -square);
    const Lanes value = exponential_or_zero(square * broadcast(-0.5));
    return fused(value, lost * broadcast(-0.5), value);
}

// Φ(−a) and φ(a) for a ≥ 0; 0 from 37.7 on, NaN stays NaN. Φ(−a) is good to 9 ulp where the instruction set fuses; in `baseline`,
// where the square's rounding error stays, to 7 + ½a² ulp.
struct NormalTail {
    Lanes probability, density;
};

inline NormalTail normal_tail(Lanes a) {
    const Lanes bounded = smaller(broadcast(farthest), a);
    const Lanes value = gaussian(bounded);
    return {value * tail_ratio(bounded), value * broadcast(one_over_root_2pi)};
}

// log Φ(−a) for a ≥ 0; −inf at inf.
inline Lanes log_normal_tail(Lanes a) { return logarithm(far_tail_ratio(a)) - a * a * broadcast(0.5); }

// log(1 − x) for 0 ≤ x ≤ 1, to 2 ulp: what 1 − x rounds away is put back.
inline Lanes logarithm_of_rest(Lanes x) {
    const Lanes one = broadcast(1.0);
    const Lanes rest = one - x;
    const Lanes lost = ((one - rest) - x) / select(broadcast(0.0) < rest, rest, one);
    return logarithm(rest) + lost;
}

// The a with log Φ(−a) = t, for t ≤ log ½, to ~1e-12: where a bracket is to be set, no more is needed.
//
// Newton's method from the right on a concave function: a ≈ √(−2 (t + log 2)) is too large at first, never too small.
inline Lanes tail_quantile(Lanes t) {
    Lanes a = square_root(larger(broadcast(-2.0) * (t + broadcast(0.6931471805599453)), broadcast(0.0)));
    for (int step = 0; step < 6; ++step) {
        const Lanes ratio = far_tail_ratio(a);
        const Lanes excess = (logarithm(ratio) - a * a * broadcast(0.5)) - t;
        a = larger(fused(excess, ratio * broadcast(1.0 / one_over_root_2pi), a), broadcast(0.0));
    }
    return a;
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
