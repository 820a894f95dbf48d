// Draws from row-wise mixtures. Twin of condensity/kernels/reference/sampling.py.
//
// Two draws share a Box–Muller pair: √(−2 log u₀) cos 2πu₁ and √(−2 log u₀) sin 2πu₁; each picks its component with a uniform
// of its own, u₂ or u₃, by the cumulative weights. Row r of s draws has h = ⌈s/2⌉ pairs; pair i of it takes the words
// 4(r·h + i) … + 3 of the stream and gives the draws i and h + i.
#pragma once

#include "probability.hpp"
#include "rng.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// Cumulative weights in `constants`. In a row of mass 1 they end at inf from its last component on, so that no rounding can
// pick one that is absent, or none.
template <class Layout>
inline void prepare_cumulative(Components& c) {
    prepare_weights<Layout>(c);
    const Mask whole = load(c.shared) == broadcast(1.0);
    Lanes sum = broadcast(0.0), rest = broadcast(0.0);
    for (size_t k = 0; k < c.count; ++k) {
        sum = sum + Layout::get(c.weights, k);
        store(c.terms + k * width, sum);
    }
    for (size_t k = c.count; k-- > 0;) {
        const Mask last = whole & (rest == broadcast(0.0));
        store(c.terms + k * width, select(last, broadcast(infinity), load(c.terms + k * width)));
        rest = rest + Layout::get(c.weights, k);
    }
}

struct Pair {
    Lanes first, second;
};

// μ + σ·normal of the components that two uniforms pick; NaN beyond the row's mass.
template <class Layout>
inline Pair draw(const Components& c, Pair uniform, Pair normal) {
    Pair mean = {Layout::get(c.means, 0), Layout::get(c.means, 0)};
    Pair scale = {Layout::get(c.scales, 0), Layout::get(c.scales, 0)};
    Lanes end = load(c.terms);  // where the component before ends
    for (size_t k = 1; k < c.count; ++k) {
        const Lanes next_mean = Layout::get(c.means, k), next_scale = Layout::get(c.scales, k);
        const Mask first = uniform.first < end, second = uniform.second < end;
        mean = {select(first, mean.first, next_mean), select(second, mean.second, next_mean)};
        scale = {select(first, scale.first, next_scale), select(second, scale.second, next_scale)};
        end = load(c.terms + k * width);
    }
    const Lanes unknown = broadcast(infinity) - broadcast(infinity);
    return {select(uniform.first < end, fused(scale.first, normal.first, mean.first), unknown),
            select(uniform.second < end, fused(scale.second, normal.second, mean.second), unknown)};
}

// The draws of `width` consecutive pairs, from the first one's first word.
template <class Layout>
inline Pair draw_pairs(const Components& c, Bits state) {
    const Bits gamma = broadcast_bits(golden_gamma);
    const Bits second = state + gamma, third = second + gamma, fourth = third + gamma;
    const Lanes uniform = to_uniform(mix(state)) + broadcast(0x1p-53);  // in (0, 1)
    const Lanes radius = square_root(broadcast(-2.0) * logarithm(uniform));
    const SineCosine angle = of_turns(to_uniform(mix(second)));
    return draw<Layout>(c, {to_uniform(mix(third)), to_uniform(mix(fourth))},
                        {radius * angle.cosine, radius * angle.sine});
}

inline void mixture_sample(const MixtureBatch& batch, const SampleRequest& request, double* scratch, double* result) {
    Components c = place(scratch, batch.components);
    const size_t samples = request.samples, half = (samples + 1) / 2;
    alignas(64) double first[width], second[width];
    size_t rows[width];
    for (size_t lane = 0; lane < width; ++lane) {
        const uint64_t offset = 4 * lane * golden_gamma;
        __builtin_memcpy(first + lane, &offset, sizeof offset);
    }
    const Bits offsets = bits_of(load(first));
    const bool one_row = half >= width;  // else lanes over consecutive pairs, whatever their rows
    const size_t outer = one_row ? batch.rows : 1;
    const size_t pairs = one_row ? half : batch.rows * half;
    for (size_t row = 0; row < outer; ++row) {
        if (one_row) {
            gather_row(batch, row, c);
            prepare_cumulative<OneRow>(c);
        }
        for (size_t start = 0; start < pairs; start += width) {
            const size_t count = least(width, pairs - start);
            const uint64_t word = 4 * ((request.first_row + row) * half + start) + 1;
            const Bits state = broadcast_bits(request.key + word * golden_gamma) + offsets;
            if (!one_row) {
                for (size_t lane = 0; lane < width; ++lane) rows[lane] = (start + (lane < count ? lane : 0)) / half;
                gather_lanes(batch, rows, c);
                prepare_cumulative<RowPerLane>(c);
            }
            const Pair drawn = one_row ? draw_pairs<OneRow>(c, state) : draw_pairs<RowPerLane>(c, state);
            if (one_row && count == width && half + start + width <= samples) {
                store(result + row * samples + start, drawn.first);
                store(result + row * samples + half + start, drawn.second);
                continue;
            }
            store(first, drawn.first);
            store(second, drawn.second);
            for (size_t lane = 0; lane < count; ++lane) {
                const size_t target = one_row ? row : rows[lane], i = one_row ? start + lane : (start + lane) % half;
                result[target * samples + i] = first[lane];
                if (half + i < samples) result[target * samples + half + i] = second[lane];
            }
        }
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
