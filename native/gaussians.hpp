// Gaussian mixtures over rows of a table: log densities, the sums of an E step, conditionals.
// Twin of condensity/engines/reference/gaussians.py, whose letters these are.
//
//     u = x − μ_k    z = L_k⁻¹ u    terms_k = log_constant_k − ½ zᵀz    γ_k = e^(terms_k − log p)
//
// A tile is feature-major, like a network's: number [column·step + row], lanes over rows. Products of a triangle with a tile go
// two of its rows at a time over four vectors of table rows, 8 sums in registers; those of the second moments two rows of the
// triangle at a time over up to six columns, 12 sums. What lies right of the diagonal in such a pair is computed and dropped.
// Rows beyond the table are padded by copies of the tile's first row, of weight 0.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "mixture.hpp"
#include "mlp.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

constexpr size_t gaussian_tile = 128;                    // rows; a multiple of four vectors of every instruction set
constexpr size_t gaussian_step = gaussian_tile + 8;      // numbers of a column, so that columns do not share lines of the cache

// γ below e^−50 = 2e-22 counts as 0: smaller ones are lost in every sum, and rows without a share need not be summed at all.
constexpr double smallest_share = -50.0;

struct GaussianTile {
    size_t rows;       // a multiple of four vectors
    double* x;         // columns
    double* u;         // columns: x − μ
    double* weighted;  // columns: γ (x − μ)
    double* z;         // columns; or x of a few rows
    double* terms;     // components
    double* weight;    // 1
    double* log_density;
    double* some;      // 1: shares of a few rows
    double* sums;      // whole lanes, not yet added up: those of each component, then the log likelihood
};

inline size_t numbers_of_component(const Gaussians& model) { return 1 + model.columns + model.moments(); }

inline size_t gaussian_scratch_size(const Gaussians& model) {
    return (4 * model.columns + model.components + 3) * gaussian_step + (model.components * numbers_of_component(model) + 1) * width;
}

inline GaussianTile place_gaussian_tile(const Gaussians& model, double* scratch) {
    const size_t block = model.columns * gaussian_step;
    double* rest = scratch + 4 * block;
    return {0, scratch, scratch + block, scratch + 2 * block, scratch + 3 * block, rest,
            rest + model.components * gaussian_step, rest + (model.components + 1) * gaussian_step,
            rest + (model.components + 2) * gaussian_step, rest + (model.components + 3) * gaussian_step};
}

inline void gather_gaussian_tile(const Gaussians& model, const double* x, const double* weight, size_t count, GaussianTile& tile) {
    constexpr size_t group = 4 * width;
    tile.rows = (count + group - 1) / group * group;
    for (size_t j = 0; j < model.columns; ++j)
        for (size_t row = 0; row < tile.rows; ++row)
            tile.x[j * gaussian_step + row] = x[(row < count ? row : 0) * model.columns + j];
    for (size_t row = 0; row < tile.rows; ++row)
        tile.weight[row] = row >= count ? 0.0 : weight == nullptr ? 1.0 : weight[row];
}

// u ← x − μ_k.
inline void center_tile(const Gaussians& model, size_t k, GaussianTile& tile) {
    for (size_t j = 0; j < model.columns; ++j) {
        const Lanes mean = broadcast(model.means[k * model.columns + j]);
        const double* from = tile.x + j * gaussian_step;
        double* to = tile.u + j * gaussian_step;
        for (size_t row = 0; row < tile.rows; row += width) store(to + row, load(from + row) - mean);
    }
}

// Two rows (height 2), or the last one (1), of a triangle from row i on, times u: on four vectors of table rows.
template <size_t height>
inline void multiply_triangle(const double* triangle, size_t columns, size_t i, const double* u, Lanes (&sums)[2][4]) {
    CONDENSITY_UNROLL
    for (size_t v = 0; v < 4; ++v) sums[0][v] = sums[1][v] = broadcast(0.0);
    const double *first = triangle + i * columns, *second = first + columns;
    for (size_t j = 0; j <= i; ++j) {
        const Lanes a = broadcast(first[j]), b = height > 1 ? broadcast(second[j]) : a;
        CONDENSITY_UNROLL
        for (size_t v = 0; v < 4; ++v) {
            const Lanes value = load(u + j * gaussian_step + v * width);
            sums[0][v] = fused(a, value, sums[0][v]);
            if (height > 1) sums[1][v] = fused(b, value, sums[1][v]);
        }
    }
    if (height > 1) {
        const Lanes b = broadcast(second[i + 1]);
        CONDENSITY_UNROLL
        for (size_t v = 0; v < 4; ++v) sums[1][v] = fused(b, load(u + (i + 1) * gaussian_step + v * width), sums[1][v]);
    }
}

// terms_k of every row, from u; z is kept where it is asked for.
inline void gaussian_terms(const Gaussians& model, size_t k, bool keep_z, GaussianTile& tile) {
    const size_t columns = model.columns;
    const Lanes constant = broadcast(model.log_constants[k]), half = broadcast(-0.5);
    double* terms = tile.terms + k * gaussian_step;
    for (size_t row = 0; row < tile.rows; row += 4 * width) {
        Lanes squares[4];
        for (size_t v = 0; v < 4; ++v) squares[v] = broadcast(0.0);
        if (model.independent) {
            for (size_t j = 0; j < columns; ++j) {
                const Lanes inverse = broadcast(model.inverse_factors[k * columns + j]);
                CONDENSITY_UNROLL
                for (size_t v = 0; v < 4; ++v) {
                    const Lanes z = load(tile.u + j * gaussian_step + row + v * width) * inverse;
                    squares[v] = fused(z, z, squares[v]);
                    if (keep_z) store(tile.z + j * gaussian_step + row + v * width, z);
                }
            }
        } else {
            const double* triangle = model.inverse_factors + k * columns * columns;
            Lanes z[2][4];
            size_t i = 0;
            for (; i + 2 <= columns; i += 2) {
                multiply_triangle<2>(triangle, columns, i, tile.u + row, z);
                CONDENSITY_UNROLL
                for (size_t v = 0; v < 4; ++v) {
                    squares[v] = fused(z[1][v], z[1][v], fused(z[0][v], z[0][v], squares[v]));
                    if (keep_z) store(tile.z + i * gaussian_step + row + v * width, z[0][v]);
                    if (keep_z) store(tile.z + (i + 1) * gaussian_step + row + v * width, z[1][v]);
                }
            }
            if (i < columns) {
                multiply_triangle<1>(triangle, columns, i, tile.u + row, z);
                CONDENSITY_UNROLL
                for (size_t v = 0; v < 4; ++v) {
                    squares[v] = fused(z[0][v], z[0][v], squares[v]);
                    if (keep_z) store(tile.z + i * gaussian_step + row + v * width, z[0][v]);
                }
            }
        }
        CONDENSITY_UNROLL
        for (size_t v = 0; v < 4; ++v) store(terms + row + v * width, fused(half, squares[v], constant));
    }
}

// log p of every row from the terms, which become γ where that is asked for. Four vectors of rows at a time.
inline void normalise_terms(const Gaussians& model, bool keep_shares, GaussianTile& tile) {
    for (size_t row = 0; row < tile.rows; row += 4 * width) {
        Lanes peak[4], sum[4];
        for (size_t v = 0; v < 4; ++v) peak[v] = broadcast(-infinity), sum[v] = broadcast(0.0);
        for (size_t k = 0; k < model.components; ++k) {
            const double* terms = tile.terms + k * gaussian_step + row;
            CONDENSITY_UNROLL
            for (size_t v = 0; v < 4; ++v) peak[v] = larger(load(terms + v * width), peak[v]);
        }
        for (size_t v = 0; v < 4; ++v) peak[v] = shift(peak[v]);
        for (size_t k = 0; k < model.components; ++k) {
            double* terms = tile.terms + k * gaussian_step + row;
            CONDENSITY_UNROLL
            for (size_t v = 0; v < 4; ++v) {
                const Lanes share = exponential_or_zero(load(terms + v * width) - peak[v], smallest_share);
                if (keep_shares) store(terms + v * width, share);
                sum[v] = sum[v] + share;
            }
        }
        for (size_t v = 0; v < 4; ++v) {
            store(tile.log_density + row + v * width, peak[v] + logarithm(sum[v]));
            sum[v] = load(tile.weight + row + v * width) / sum[v];
        }
        for (size_t k = 0; keep_shares && k < model.components; ++k) {
            double* terms = tile.terms + k * gaussian_step + row;
            CONDENSITY_UNROLL
            for (size_t v = 0; v < 4; ++v) store(terms + v * width, load(terms + v * width) * sum[v]);
        }
    }
}

inline void fill_gaussian_tile(const Gaussians& model, const double* x, const double* weight, size_t count, bool keep_shares,
                               GaussianTile& tile) {
    gather_gaussian_tile(model, x, weight, count, tile);
    for (size_t k = 0; k < model.components; ++k) {
        center_tile(model, k, tile);
        gaussian_terms(model, k, false, tile);
    }
    normalise_terms(model, keep_shares, tile);
}

inline void gaussian_log_density(const Gaussians& model, const double* x, size_t rows, double* scratch, double* result) {
    GaussianTile tile = place_gaussian_tile(model, scratch);
    for (size_t first = 0; first < rows; first += gaussian_tile) {
        const size_t count = least(gaussian_tile, rows - first);
        fill_gaussian_tile(model, x + first * model.columns, nullptr, count, false, tile);
        for (size_t row = 0; row < count; ++row) result[first + row] = tile.log_density[row];
    }
}

// The sum over lanes, in their order.
inline double sum_of(Lanes a) {
    alignas(64) double values[width];
    store(values, a);
    double sum = 0.0;
    for (size_t lane = 0; lane < width; ++lane) sum += values[lane];
    return sum;
}

inline void add_lanes(double* place, Lanes a) { store(place, load(place) + a); }

// Lanes of moments[i(i + 1)/2 + j] += weighted_i u_j over rows, for `height` rows of the triangle from i on and `across` columns from j on.
template <size_t height, size_t across>
inline void add_moments(const GaussianTile& tile, size_t i, size_t j, double* moments) {
    Lanes sums[2][6];
    CONDENSITY_UNROLL
    for (size_t c = 0; c < across; ++c) sums[0][c] = sums[1][c] = broadcast(0.0);
    const double *first = tile.weighted + i * gaussian_step, *second = first + (height > 1 ? gaussian_step : 0), *u = tile.u + j * gaussian_step;
    for (size_t row = 0; row < tile.rows; row += width) {
        const Lanes a = load(first + row), b = load(second + row);
        CONDENSITY_UNROLL
        for (size_t c = 0; c < across; ++c) {
            const Lanes value = load(u + c * gaussian_step + row);
            sums[0][c] = fused(a, value, sums[0][c]);
            if (height > 1) sums[1][c] = fused(b, value, sums[1][c]);
        }
    }
    for (size_t h = 0; h < height; ++h)
        for (size_t c = 0; c < across && j + c <= i + h; ++c) 
            add_lanes(moments + ((i + h) * (i + h + 1) / 2 + j + c) * width, sums[h][c]);
}

template <size_t height>
inline void add_moment_rows(const GaussianTile& tile, size_t i, double* moments) {
    const size_t end = i + height;  // columns of the last of these rows
    size_t j = 0;
    for (; j + 6 <= end; j += 6) add_moments<height, 6>(tile, i, j, moments);
    switch (end - j) {
        case 5: return add_moments<height, 5>(tile, i, j, moments);
        case 4: return add_moments<height, 4>(tile, i, j, moments);
        case 3: return add_moments<height, 3>(tile, i, j, moments);
        case 2: return add_moments<height, 2>(tile, i, j, moments);
        case 1: return add_moments<height, 1>(tile, i, j, moments);
        default: return;
    }
}

// Adds the first moments of component k over tile.rows rows, from columns x, `step` numbers apart, and their shares; u and γ u are
// kept for the second moments.
inline void add_first_moments(const Gaussians& model, size_t k, const double* x, const double* shares, double* firsts, double* moments,
                              GaussianTile& tile) {
    for (size_t j = 0; j < model.columns; ++j) {
        const Lanes mean = broadcast(model.means[k * model.columns + j]);
        const double* from = x + j * gaussian_step;
        Lanes first = broadcast(0.0), second = broadcast(0.0);
        for (size_t row = 0; row < tile.rows; row += width) {
            const Lanes u = load(from + row) - mean, weighted = load(shares + row) * u;
            store(tile.u + j * gaussian_step + row, u);
            store(tile.weighted + j * gaussian_step + row, weighted);
            first = first + weighted;
            if (model.independent) second = fused(weighted, u, second);
        }
        add_lanes(firsts + j * width, first);
        if (model.independent) add_lanes(moments + j * width, second);
    }
}

// Copies the rows that have a share into tile.z, columns as in tile.x, and their shares behind; their number, padded by shares of 0.
inline size_t gather_shares(const Gaussians& model, const double* shares, size_t rows, GaussianTile& tile) {
    uint32_t chosen[gaussian_tile + width];
    size_t count = 0;
    for (size_t row = 0; row < rows; ++row) {
        chosen[count] = static_cast<uint32_t>(row);
        count += shares[row] > 0.0 ? 1 : 0;
    }
    const size_t padded = (count + width - 1) / width * width;
    if (2 * padded > rows) return rows;
    for (size_t i = count; i < padded; ++i) chosen[i] = chosen[0];
    for (size_t j = 0; j < model.columns; ++j)
        for (size_t i = 0; i < padded; ++i) tile.z[j * gaussian_step + i] = tile.x[j * gaussian_step + chosen[i]];
    for (size_t i = 0; i < padded; ++i) tile.some[i] = i < count ? shares[chosen[i]] : 0.0;
    return padded;
}

// Adds the sums of a filled tile, γ in place of the terms.
inline void add_tile(const Gaussians& model, GaussianTile& tile) {
    const size_t columns = model.columns, rows = tile.rows;
    Lanes total = broadcast(0.0);
    for (size_t row = 0; row < rows; row += width) total = fused(load(tile.weight + row), load(tile.log_density + row), total);
    add_lanes(tile.sums + model.components * numbers_of_component(model) * width, total);
    for (size_t k = 0; k < model.components; ++k) {
        const double *shares = tile.terms + k * gaussian_step, *x = tile.x;
        double *count_place = tile.sums + k * numbers_of_component(model) * width, *firsts = count_place + width,
               *moments = firsts + columns * width;
        tile.rows = gather_shares(model, shares, rows, tile);
        if (tile.rows < rows) shares = tile.some, x = tile.z;
        Lanes count = broadcast(0.0);
        for (size_t row = 0; row < tile.rows; row += width) count = count + load(shares + row);
        add_lanes(count_place, count);
        add_first_moments(model, k, x, shares, firsts, moments, tile);
        if (model.independent) continue;
        size_t i = 0;
        for (; i + 2 <= columns; i += 2) add_moment_rows<2>(tile, i, moments);
        if (i < columns) add_moment_rows<1>(tile, i, moments);
    }
    tile.rows = rows;
}

inline void gaussian_sums(const Gaussians& model, const double* x, const double* weight, size_t rows, double* scratch, double* sums) {
    GaussianTile tile = place_gaussian_tile(model, scratch);
    const size_t length = model.components * numbers_of_component(model) + 1;
    for (size_t i = 0; i < length * width; ++i) tile.sums[i] = 0.0;
    for (size_t start = 0; start < rows; start += gaussian_tile) {
        fill_gaussian_tile(model, x + start * model.columns, weight + start, least(gaussian_tile, rows - start), true, tile);
        add_tile(model, tile);
    }
    for (size_t i = 0; i < length; ++i) sums[i] += sum_of(load(tile.sums + i * width));
}

inline void gaussian_conditional(const Gaussians& model, const double* slopes, const double* offsets, size_t outputs, const double* x,
                                 size_t rows, double* scratch, double* log_weights, double* means) {
    GaussianTile tile = place_gaussian_tile(model, scratch);
    const size_t columns = model.columns, components = model.components;
    for (size_t start = 0; start < rows; start += gaussian_tile) {
        const size_t count = least(gaussian_tile, rows - start);
        gather_gaussian_tile(model, x + start * columns, nullptr, count, tile);
        for (size_t k = 0; k < components; ++k) {
            center_tile(model, k, tile);
            gaussian_terms(model, k, true, tile);
            for (size_t b = 0; b < outputs; ++b) {
                const double* slope = slopes + (k * outputs + b) * columns;
                for (size_t row = 0; row < tile.rows; row += width) {
                    Lanes mean = broadcast(offsets[k * outputs + b]);
                    for (size_t j = 0; j < columns; ++j)
                        mean = fused(broadcast(slope[j]), load(tile.z + j * gaussian_step + row), mean);
                    store(tile.weighted + row, mean);
                }
                for (size_t row = 0; row < count; ++row) means[((start + row) * components + k) * outputs + b] = tile.weighted[row];
            }
        }
        normalise_terms(model, false, tile);
        for (size_t row = 0; row < count; ++row)
            for (size_t k = 0; k < components; ++k)
                log_weights[(start + row) * components + k] = tile.terms[k * gaussian_step + row] - tile.log_density[row];
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
