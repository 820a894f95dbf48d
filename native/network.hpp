// A mixture density network on batches of rows: mean loss, and its gradient. Twin of condensity/engines/reference/network.py.
#pragma once

#include "encoding.hpp"
#include "head.hpp"
#include "head_several.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

// What a layer keeps: its inputs, a one, and the slopes of the activations that made its inputs.
inline size_t kept_units(size_t inputs) { return 2 * inputs + 1; }

inline size_t kept_units(const NetworkShape& shape) {
    size_t units = 0;
    for (size_t i = 0; i < shape.layers; ++i) units += kept_units(shape.widths[i]);
    return units;
}

inline size_t parameter_count(const NetworkShape& shape) {
    size_t parameters = 0;
    for (size_t i = 0; i < shape.layers; ++i) parameters += (shape.widths[i] + 1) * shape.widths[i + 1];
    return parameters;
}

// Numbers of scratch: what the layers keep, the head's output, y, shares, and the head's own.
inline size_t network_scratch_size(const NetworkShape& shape) {
    const size_t units = kept_units(shape) + shape.widths[shape.layers] + shape.outputs + 1;
    return units * tile_rows + (shape.outputs == 1 ? head_scratch(shape) : head_several_scratch(shape));
}

// The rows of one tile, and where its numbers are.
struct Tile {
    float* inputs;   // what layer 0 keeps; the other layers' follows
    float* output;   // of the last layer
    float* y;
    float* share;
    float* head;
    size_t rows;     // rounded up to whole stripes
};

inline Tile place_tile(const NetworkShape& shape, float* scratch) {
    Tile tile;
    tile.inputs = scratch;
    tile.output = tile.inputs + kept_units(shape) * tile_rows;
    tile.y = tile.output + shape.widths[shape.layers] * tile_rows;
    tile.share = tile.y + shape.outputs * tile_rows;
    tile.head = tile.share + tile_rows;
    tile.rows = 0;
    float* inputs = tile.inputs;
    for (size_t layer = 0; layer < shape.layers; ++layer) {
        for (size_t row = 0; row < tile_rows; ++row) inputs[shape.widths[layer] * tile_rows + row] = 1.0f;
        inputs += kept_units(shape.widths[layer]) * tile_rows;
    }
    return tile;
}

// Rows first … first + count of the batch, padded with zeros; each row's share is its weight / the batch's size.
inline void gather_tile(const NetworkShape& shape, const RowBatch& batch, size_t first, size_t count, Tile& tile) {
    const size_t columns = shape.columns, outputs = shape.outputs;
    tile.rows = (count + stripe - 1) / stripe * stripe;
    for (size_t i = 0; i < tile.rows; ++i) {
        const bool real = i < count;
        const size_t row = real ? (batch.order ? batch.order[first + i] : first + i) : 0;
        for (size_t j = 0; j < columns; ++j) tile.inputs[j * tile_rows + i] = real ? batch.x[row * columns + j] : 0.0f;
        for (size_t j = 0; j < outputs; ++j) tile.y[j * tile_rows + i] = real ? batch.y[row * outputs + j] : 0.0f;
        tile.share[i] = real ? batch.weight[row] / static_cast<float>(batch.rows) : 0.0f;
    }
    if (shape.bin_counts != nullptr) encode_tile(shape, tile.inputs, tile.rows);
}

// The head on one group of lanes.
inline RowLoss run_head(const NetworkShape& shape, const Penalty& settings, const Tile& tile, size_t row, bool backward) {
    const float* share = backward ? tile.share + row : nullptr;
    const auto head = shape.outputs == 1 ? mixture_head : mixture_head_several;
    return head(shape, settings, tile.output + row, tile.y + row, share, tile.head);
}

// Forward through all layers.
inline void run_forward(const NetworkShape& shape, const float* theta, Tile& tile) {
    float* in = tile.inputs;
    for (size_t layer = 0; layer < shape.layers; ++layer) {
        const size_t inputs = shape.widths[layer], outputs = shape.widths[layer + 1];
        const bool last = layer + 1 == shape.layers;
        float* out = last ? tile.output : in + kept_units(inputs) * tile_rows;
        multiply(in, inputs + 1, theta, outputs, 1, outputs, tile.rows,
                 [=](size_t unit, size_t row, Floats value) { store(out + unit * tile_rows + row, value); });
        if (last) return;
        theta += (inputs + 1) * outputs;
        float* slopes = out + (outputs + 1) * tile_rows;
        const Activation kind = shape.activation;
        for (size_t unit = 0; unit < outputs; ++unit)
            for (size_t row = 0; row < tile.rows; row += float_width) {
                const Activated h = activate(kind, load_floats(out + unit * tile_rows + row));
                store(out + unit * tile_rows + row, h.value);
                store(slopes + unit * tile_rows + row, h.slope);
            }
        in = out;
    }
}

// Adds the offsets of rows first … first + count of the batch to the head's output; padded rows have none. Rows are the inner loop, as
// they lie side by side in the tile.
inline void add_offset(const NetworkShape& shape, const RowBatch& batch, size_t first, size_t count, const Tile& tile) {
    const size_t width = shape.head_width();
    for (size_t unit = 0; unit < width; ++unit)
        for (size_t i = 0; i < count; ++i) {
            const size_t row = batch.order ? batch.order[first + i] : first + i;
            tile.output[unit * tile_rows + i] += batch.offset[row * width + unit];
        }
}

// Backward from the head's derivatives in tile.output, adding to the gradient.
inline void run_backward(const NetworkShape& shape, const float* theta, Tile& tile, float* gradient) {
    size_t units = kept_units(shape), parameters = parameter_count(shape);
    float* delta = tile.output;
    for (size_t layer = shape.layers; layer-- > 0;) {
        const size_t inputs = shape.widths[layer], outputs = shape.widths[layer + 1];
        units -= kept_units(inputs);
        parameters -= (inputs + 1) * outputs;
        const float* in = tile.inputs + units * tile_rows;
        correlate(in, inputs + 1, delta, outputs, tile.rows, gradient + parameters);
        if (layer == 0) return;
        // The slopes become the deltas of the layer below.
        float* slopes = tile.inputs + (units + inputs + 1) * tile_rows;
        multiply(delta, outputs, theta + parameters, 1, outputs, inputs, tile.rows, [=](size_t unit, size_t row, Floats value) {
            float* place = slopes + unit * tile_rows + row;
            store(place, value * load_floats(place));
        });
        delta = slopes;
    }
}

// The mean over a batch of weight · (capped NLL + penalty); its gradient is written to `gradient`.
inline double network_gradient(const NetworkShape& shape, const float* theta, const RowBatch& batch, const Penalty& settings,
                               float* scratch, float* gradient) {
    Tile tile = place_tile(shape, scratch);
    const size_t parameters = parameter_count(shape);
    for (size_t i = 0; i < parameters; ++i) gradient[i] = 0.0f;
    double loss = 0.0;
    float values[2][float_width_max];
    for (size_t first = 0; first < batch.rows; first += tile_rows) {
        const size_t count = batch.rows - first < tile_rows ? batch.rows - first : tile_rows;
        gather_tile(shape, batch, first, count, tile);
        run_forward(shape, theta, tile);
        if (batch.offset != nullptr) add_offset(shape, batch, first, count, tile);
        for (size_t row = 0; row < tile.rows; row += float_width) {
            const RowLoss rows = run_head(shape, settings, tile, row, true);
            store(values[0], rows.nll);
            store(values[1], rows.penalty);
            for (size_t lane = 0; lane < float_width && row + lane < count; ++lane)
                loss += static_cast<double>(values[0][lane]) + static_cast<double>(values[1][lane]);
        }
        run_backward(shape, theta, tile, gradient);
    }
    return loss;
}

// nll[i] ← −log p(y | x) of every row of the batch.
inline void network_nll(const NetworkShape& shape, const float* theta, const RowBatch& batch, float* scratch, float* nll) {
    Tile tile = place_tile(shape, scratch);
    const Penalty none{};
    float values[float_width_max];
    for (size_t first = 0; first < batch.rows; first += tile_rows) {
        const size_t count = batch.rows - first < tile_rows ? batch.rows - first : tile_rows;
        gather_tile(shape, batch, first, count, tile);
        run_forward(shape, theta, tile);
        if (batch.offset != nullptr) add_offset(shape, batch, first, count, tile);
        for (size_t row = 0; row < tile.rows; row += float_width) {
            store(values, run_head(shape, none, tile, row, false).nll);
            for (size_t lane = 0; lane < float_width && row + lane < count; ++lane) nll[first + row + lane] = values[lane];
        }
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
