// Draws from row-wise mixtures. Twin of condensity/engines/reference/sampling.py.
//
// Two draws share a Box–Muller pair, √(−2 log u) cos 2πa and √(−2 log u) sin 2πa, and each picks its component with a uniform
// of its own by the cumulative weights. Row r of s draws has h = ⌈s/2⌉ pairs; pair i of it takes the words 3(r·h + i) … + 2 of
// the stream and gives the draws i and h + i. Their upper 52 bits are u and the two picks, their lower 12 together are a.
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
    for (size_t k = c.count; k-- > 0 && any(rest == broadcast(0.0));) {
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

// Pairs that are worked on at a time. Each step below runs over all of them before the next one begins: a step's instructions
// depend on each other, and a machine that looks ahead sees the next pairs' only if there are few enough in between (1.7x).
constexpr size_t stretch = 16 * width;

struct Dice {
    alignas(64) double first[stretch], second[stretch];            // standard normals
    alignas(64) double first_pick[stretch], second_pick[stretch];  // uniform
};

// Throw the dice of consecutive pairs, whole lanes of them. `words` are the first words of the first `width` pairs.
inline void throw_dice(Bits words, size_t pairs, Dice& dice) {
    const Bits gamma = broadcast_bits(golden_gamma), next = broadcast_bits(3 * width * golden_gamma);
    const Bits low = broadcast_bits(0xfff);
    for (size_t i = 0; i < pairs; i += width) {
        const Bits a = mix(words), b = mix(words + gamma), c = mix(words + gamma + gamma);
        store(dice.first + i, to_uniform(a) + broadcast(0x1p-53));  // in (0, 1)
        store(dice.second + i, to_uniform(shift_left<52>(a) | shift_left<40>(b & low) | shift_left<28>(c & low)));
        store(dice.first_pick + i, to_uniform(b));
        store(dice.second_pick + i, to_uniform(c));
        words = words + next;
    }
    for (size_t i = 0; i < pairs; i += width) store(dice.first + i, logarithm_of_normal(load(dice.first + i)));
    for (size_t i = 0; i < pairs; i += width) {
        const Lanes radius = square_root(broadcast(-2.0) * load(dice.first + i));
        const SineCosine angle = of_turns(load(dice.second + i));
        store(dice.first + i, radius * angle.cosine);
        store(dice.second + i, radius * angle.sine);
    }
}

template <class Layout>
inline Pair draw(const Components& c, const Dice& dice, size_t i) {
    return draw<Layout>(c, {load(dice.first_pick + i), load(dice.second_pick + i)},
                        {load(dice.first + i), load(dice.second + i)});
}

// Pairs from the same row in all lanes.
inline void sample_row(const Components& c, Bits words, size_t samples, Dice& dice, double* result) {
    const size_t half = (samples + 1) / 2;
    alignas(64) double first[width], second[width];
    for (size_t start = 0; start < half; start += stretch) {
        const size_t pairs = least(stretch, half - start);
        throw_dice(words + broadcast_bits(3 * start * golden_gamma), pairs, dice);
        for (size_t i = 0; i < pairs; i += width) {
            const Pair drawn = draw<OneRow>(c, dice, i);
            double* target = result + start + i;
            if (i + width <= pairs && half + start + i + width <= samples) {
                store(target, drawn.first);
                store(target + half, drawn.second);
                continue;
            }
            store(first, drawn.first);
            store(second, drawn.second);
            for (size_t lane = 0; lane < least(width, pairs - i); ++lane) {
                target[lane] = first[lane];
                if (half + start + i + lane < samples) target[half + lane] = second[lane];
            }
        }
    }
}

// Too few pairs a row to fill the lanes: lanes over consecutive pairs, whatever their rows.
inline void sample_short_rows(const MixtureBatch& batch, Bits words, size_t samples, Components& c, Dice& dice, double* result) {
    const size_t half = (samples + 1) / 2, all = batch.rows * half;
    alignas(64) double first[width], second[width];
    size_t rows[width];
    for (size_t start = 0; start < all; start += stretch) {
        const size_t pairs = least(stretch, all - start);
        throw_dice(words + broadcast_bits(3 * start * golden_gamma), pairs, dice);
        for (size_t i = 0; i < pairs; i += width) {
            const size_t count = least(width, pairs - i);
            for (size_t lane = 0; lane < width; ++lane) rows[lane] = (start + i + (lane < count ? lane : 0)) / half;
            gather_lanes(batch, rows, c);
            prepare_cumulative<RowPerLane>(c);
            const Pair drawn = draw<RowPerLane>(c, dice, i);
            store(first, drawn.first);
            store(second, drawn.second);
            for (size_t lane = 0; lane < count; ++lane) {
                const size_t place = (start + i + lane) % half;
                double* target = result + rows[lane] * samples + place;
                target[0] = first[lane];
                if (half + place < samples) target[half] = second[lane];
            }
        }
    }
}

inline void mixture_sample(const MixtureBatch& batch, const SampleRequest& request, double* scratch, double* result) {
    Components c = place(scratch, batch.components);
    const size_t samples = request.samples, half = (samples + 1) / 2;
    Dice dice;
    double first_words[width];
    for (size_t lane = 0; lane < width; ++lane) {
        const uint64_t word = request.key + (3 * (request.first_row * half + lane) + 1) * golden_gamma;
        __builtin_memcpy(first_words + lane, &word, sizeof word);
    }
    const Bits words = bits_of(load(first_words));
    if (half < width) return sample_short_rows(batch, words, samples, c, dice, result);
    for (size_t row = 0; row < batch.rows; ++row) {
        gather_row(batch, row, c);
        prepare_cumulative<OneRow>(c);
        sample_row(c, words + broadcast_bits(3 * row * half * golden_gamma), samples, dice, result + row * samples);
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
