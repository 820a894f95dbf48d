// Piecewise-linear encoding of the columns of a tile (Gorishniy et al. 2022, arXiv:2203.05556). Twin of
// `piecewise_linear_encoding` in condensity/engines/reference/network.py.
#pragma once

#include "floats.hpp"
#include "mlp.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// Behind the columns, their bins: −1 below a bin, 1 above it, a line inside.
inline void encode_tile(const NetworkShape& shape, float* tile, size_t rows) {
    const Floats one = floats(1.0f), minus_one = floats(-1.0f);
    const Bin* bin = shape.bins;
    float* target = tile + shape.columns * tile_rows;
    for (size_t j = 0; j < shape.columns; ++j)
        for (size_t b = 0; b < shape.bin_counts[j]; ++b, ++bin, target += tile_rows) {
            const Floats low = floats(bin->low), slope = floats(bin->slope);
            for (size_t row = 0; row < rows; row += float_width) {
                const Floats inside = fused(load_floats(tile + j * tile_rows + row) - low, slope, minus_one);
                store(target + row, larger(minus_one, smaller(one, inside)));  // NaN passes both
            }
        }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
