// A mixture density network on batches of rows: mean loss, and its gradient. Twin of condensity/kernels/reference/network.py.
#pragma once

#include "head.hpp"

namespace condensity::CONDENSITY_ISA {
namespace {

inline size_t network_width(const NetworkShape& shape) {
    size_t widest = 0;
    for (size_t i = 0; i <= shape.layers; ++i) widest = widest < shape.widths[i] ? shape.widths[i] : widest;
    return widest;
}

// Numbers of scratch: every layer's input and slope, the head's output, one more delta, y, shares, and the head's own.
inline size_t network_scratch_size(const NetworkShape& shape) {
    size_t units = shape.widths[shape.layers] + network_width(shape) + 2;
    for (size_t i = 0; i < shape.layers; ++i) units += 2 * shape.widths[i];
    return units * tile_rows + head_arrays * shape.components * float_width;
}

// The rows of one tile, and where its numbers are.
struct Tile {
    float* inputs;   // of layer 0; the other layers' follow, each with its slopes after it
    float* output;   // of the last layer
    float* delta;    // room for one more layer
    float* y;
    float* share;
    float* head;
    size_t rows;     // rounded up to whole stripes
};

inline Tile place_tile(const NetworkShape& shape, float* scratch) {
    size_t units = 0;
    for (size_t i = 0; i < shape.layers; ++i) units += 2 * shape.widths[i];
    Tile tile;
    tile.inputs = scratch;
    tile.output = tile.inputs + units * tile_rows;
    tile.delta = tile.output + shape.widths[shape.layers] * tile_rows;
    tile.y = tile.delta + network_width(shape) * tile_rows;
    tile.share = tile.y + tile_rows;
    tile.head = tile.share + tile_rows;
    tile.rows = 0;
    return tile;
}

// Rows first … first + count of the batch, padded with zeros; each row's share is its weight / the batch's size.
inline void gather_tile(const NetworkShape& shape, const RowBatch& batch, size_t first, size_t count, Tile& tile) {
    const size_t inputs = shape.widths[0];
    tile.rows = (count + stripe - 1) / stripe * stripe;
    for (size_t i = 0; i < tile.rows; ++i) {
        const bool real = i < count;
        const size_t row = real ? (batch.order ? batch.order[first + i] : first + i) : 0;
        for (size_t j = 0; j < inputs; ++j) tile.inputs[j * tile_rows + i] = real ? batch.x[row * inputs + j] : 0.0f;
        tile.y[i] = real ? batch.y[row] : 0.0f;
        tile.share[i] = real ? batch.weight[row] / static_cast<float>(batch.rows) : 0.0f;
    }
}

// Forward through all layers.
inline void run_forward(const NetworkShape& shape, const float* theta, Tile& tile) {
    float* in = tile.inputs;
    for (size_t layer = 0; layer < shape.layers; ++layer) {
        const size_t inputs = shape.widths[layer], outputs = shape.widths[layer + 1];
        const float *weight = theta, *bias = theta + inputs * outputs;
        theta = bias + outputs;
        if (layer + 1 == shape.layers) {
            float* out = tile.output;
            multiply(in, inputs, weight, outputs, 1, bias, outputs, tile.rows,
                     [=](size_t unit, size_t row, Floats value) { store(out + unit * tile_rows + row, value); });
            return;
        }
        float *out = in + 2 * inputs * tile_rows, *slopes = out + outputs * tile_rows;
        multiply(in, inputs, weight, outputs, 1, bias, outputs, tile.rows,
                 [=](size_t unit, size_t row, Floats value) { store(out + unit * tile_rows + row, value); });
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

// Backward from the head's derivatives in tile.output, adding to the gradient.
inline void run_backward(const NetworkShape& shape, const float* theta, Tile& tile, float* gradient) {
    size_t units = 0, parameters = 0;
    for (size_t i = 0; i < shape.layers; ++i) {
        units += 2 * shape.widths[i];
        parameters += (shape.widths[i] + 1) * shape.widths[i + 1];
    }
    float* delta = tile.output;
    for (size_t layer = shape.layers; layer-- > 0;) {
        const size_t inputs = shape.widths[layer], outputs = shape.widths[layer + 1];
        units -= 2 * inputs;
        parameters -= (inputs + 1) * outputs;
        const float* in = tile.inputs + units * tile_rows;
        correlate(in, inputs, delta, outputs, tile.rows, gradient + parameters);
        add_sums(delta, outputs, tile.rows, gradient + parameters + inputs * outputs);
        if (layer == 0) return;
        // The slopes become the deltas of the layer below.
        float* slopes = tile.inputs + (units + inputs) * tile_rows;
        multiply(delta, outputs, theta + parameters, 1, outputs, nullptr, inputs, tile.rows, [=](size_t unit, size_t row, Floats value) {
            float* place = slopes + unit * tile_rows + row;
            store(place, value * load_floats(place));
        });
        delta = slopes;
    }
}

// The mean over a batch of weight · (tempered NLL + penalty); its gradient is written to `gradient`.
inline double network_gradient(const NetworkShape& shape, const float* theta, const RowBatch& batch, const LossSettings& settings,
                               float* scratch, float* gradient) {
    Tile tile = place_tile(shape, scratch);
    size_t parameters = 0;
    for (size_t i = 0; i < shape.layers; ++i) parameters += (shape.widths[i] + 1) * shape.widths[i + 1];
    for (size_t i = 0; i < parameters; ++i) gradient[i] = 0.0f;
    double loss = 0.0;
    float values[2][float_width_max];
    for (size_t first = 0; first < batch.rows; first += tile_rows) {
        const size_t count = batch.rows - first < tile_rows ? batch.rows - first : tile_rows;
        gather_tile(shape, batch, first, count, tile);
        run_forward(shape, theta, tile);
        for (size_t row = 0; row < tile.rows; row += float_width) {
            const RowLoss rows = mixture_head(shape, settings, tile.output + row, tile.y + row, tile.share + row, tile.head);
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
    const LossSettings none{};
    float values[float_width_max];
    for (size_t first = 0; first < batch.rows; first += tile_rows) {
        const size_t count = batch.rows - first < tile_rows ? batch.rows - first : tile_rows;
        gather_tile(shape, batch, first, count, tile);
        run_forward(shape, theta, tile);
        for (size_t row = 0; row < tile.rows; row += float_width) {
            store(values, mixture_head(shape, none, tile.output + row, tile.y + row, nullptr, tile.head).nll);
            for (size_t lane = 0; lane < float_width && row + lane < count; ++lane) nll[first + row + lane] = values[lane];
        }
    }
}

}  // namespace
}  // namespace condensity::CONDENSITY_ISA
