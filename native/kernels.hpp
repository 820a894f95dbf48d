// What every instruction set offers, and nothing else: plain data types that all translation units may share.
//
// Files compiled for one instruction set (kernels_*.cpp and the headers they include) contain no standard library and
// put all code in an unnamed namespace, so that the linker can never hand AVX-512 code to an older machine.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace condensity {

// A row-major matrix; row i begins at values + i·row_stride, which is 0 where all rows are the same.
struct MatrixView {
    const double* values;
    size_t columns;
    size_t row_stride;

    const double* row(size_t i) const { return values + i * row_stride; }
};

// n rows × K components, in data units.
struct MixtureBatch {
    MatrixView log_weights;  // (n, K)
    MatrixView means;        // (n, K)
    MatrixView scales;       // (n, K)
    size_t rows;
    size_t components;
};

// What to draw: `samples` numbers a row from the stream `key`; the batch's first row is the stream's row `first_row`.
struct SampleRequest {
    uint64_t key;
    size_t first_row;
    size_t samples;
};

// ---- Training, in float32. ---------------------------------------------------------------------------------------------

enum class Activation { tanh, silu, relu };

// One bin of a column's piecewise-linear encoding: 2 (x − low) / width − 1, held within ±1.
struct Bin {
    float low, slope;  // 2 / width
};

// A perceptron whose last layer gives, for each of K components, a logit, q means, q log σ and, where outputs of a component may
// depend on each other, q(q − 1)/2 regression coefficients. Layer i has a matrix (widths[i], widths[i + 1]) and a bias; θ is all of them one
// after the other, matrices row by row. The first layer's inputs are the columns and behind them their bins, column by column.
struct NetworkShape {
    const size_t* widths;  // layers + 1 of them
    size_t layers;
    size_t columns;
    const size_t* bin_counts;  // of every column; null where there are none
    const Bin* bins;
    size_t components, outputs;
    bool coupled;
    Activation activation;
    bool bounded;                // whether log σ is held between two bounds, low and high, by the soft clamp
    const float* log_scale_low;  // of every output
    const float* range;          // e^(high − low) of every output
    float smallest_inverse;      // e^−high

    size_t regression_coefficients() const { return coupled ? outputs * (outputs - 1) / 2 : 0; }
    size_t head_width() const { return components * (1 + 2 * outputs + regression_coefficients()); }
};

// Strengths of the two penalties on σ, and the row loss above which only its logarithm grows (see reference/network.py).
struct Penalty {
    float hinge, lognormal, loss_cap;
};

// Standardised rows: x (·, columns), y (·, outputs), weight, and what is added to the head's output, (·, head_width()), or nothing
// (null); and which of them the batch holds, in order, or all (null).
struct RowBatch {
    const float *x, *y, *weight, *offset;
    const uint32_t* order;
    size_t rows;
};

constexpr size_t max_moments = 2;

// One step of a solver; every vector has room for `length` rounded up to whole lanes.
struct OptimizerStep {
    size_t length;
    float *model, *query;        // the parameters to keep, and those to take the gradient at: the same, unless the model is an average
    float* moments[max_moments];
    const float *gradient, *decay_mask;
    float rate, beta1, beta2;
    float correction1, correction2;  // 1 / (1 − β^t)
    float share;                     // of the new point in the averaged model
    float decay;
    float gradient_scale;            // below 1 where the gradient was too long
};

enum class MomentStart { zeros, ones, parameters };

// An update rule, and the state that it needs.
struct Solver {
    const char* name;
    double beta1, beta2;
    size_t n_moments;                        // vectors of its state
    MomentStart moment_starts[max_moments];  // their entries before the first step
    // Share of a step's point in the averaged model; null where the model is the last point itself. `step` counts from 1.
    double (*share)(double step, double rate, double rate_square_sum);
    void (*step)(const OptimizerStep& step);
};

// ---- Gaussian mixtures over rows of a table, in float64. ------------------------------------------------------------------

// K weighted normals over some columns: log w − Σ log L_jj − ½ columns·log 2π (K); means (K, columns); and L⁻¹, whole square
// matrices of which the lower triangle counts, (K, columns, columns), or 1/σ, (K, columns), where the columns are independent.
struct Gaussians {
    size_t columns, components;
    bool independent;
    const double *log_constants, *means, *inverse_factors;

    // Of a component's second moments: the lower triangle row by row, or the diagonal.
    size_t moments() const { return independent ? columns : columns * (columns + 1) / 2; }
};

// For the benchmark of training: elementwise in float32, the length a multiple of 16; and fused products in registers, as fast as
// they go, on 32 numbers at `result`; their number of floating-point operations.
struct BenchmarkKernels {
    void (*exponential)(const float* input, float* result, size_t length);
    void (*tangent)(const float* input, float* result, size_t length);
    double (*fused_products)(size_t repeats, float* result);
};

// For the tests, elementwise.
struct TestKernels {
    void (*exponential)(const double* input, double* result, size_t length);
    void (*logarithm)(const double* input, double* result, size_t length);
    void (*normal_tail)(const double* input, double* result, size_t length);        // Φ(−a), a ≥ 0
    void (*log_normal_tail)(const double* input, double* result, size_t length);    // log Φ(−a), a ≥ 0
    void (*logarithm_of_rest)(const double* input, double* result, size_t length);  // log(1 − x), 0 ≤ x ≤ 1
    void (*tail_quantile)(const double* input, double* result, size_t length);      // a with log Φ(−a) = t
    void (*cosine_of_turns)(const double* input, double* result, size_t length);    // cos 2πu, 0 ≤ u < 1
    void (*sine_of_turns)(const double* input, double* result, size_t length);
};

// One instruction set's functions. `scratch` is uninitialised memory of scratch_size(K) doubles, the caller's own.
struct Kernels {
    const char* isa;
    size_t (*scratch_size)(size_t components);

    // y (n, g) → result (n, g)
    void (*mixture_logpdf)(const MixtureBatch& batch, const MatrixView& y, double* scratch, double* result);
    void (*mixture_logcdf)(const MixtureBatch& batch, const MatrixView& y, double* scratch, double* result);
    void (*mixture_logsf)(const MixtureBatch& batch, const MatrixView& y, double* scratch, double* result);
    void (*mixture_crps)(const MixtureBatch& batch, const MatrixView& y, double* scratch, double* result);
    // log p and log(1 − p), both (n, m) → result (n, m)
    void (*mixture_quantile)(const MixtureBatch& batch, const MatrixView& log_lower, const MatrixView& log_upper,
                             double* scratch, double* result);
    // → result (n, s)
    void (*mixture_sample)(const MixtureBatch& batch, const SampleRequest& request, double* scratch, double* result);

    // Gaussian mixtures; scratch of gaussian_scratch_size(model) doubles. Rows x (rows, columns).
    size_t (*gaussian_scratch_size)(const Gaussians& model);
    // → result (rows): log p
    void (*gaussian_log_density)(const Gaussians& model, const double* x, size_t rows, double* scratch, double* result);
    // Adds to sums: for each component its count, first (columns) and second (moments()) moments; at the end Σ weight·log p.
    void (*gaussian_sums)(const Gaussians& model, const double* x, const double* weight, size_t rows, double* scratch, double* sums);
    // slopes (K, q, columns), offsets (K, q) → log_weights (rows, K), means (rows, K, q)
    void (*gaussian_conditional)(const Gaussians& model, const double* slopes, const double* offsets, size_t outputs, const double* x,
                                 size_t rows, double* scratch, double* log_weights, double* means);

    // Training; scratch of network_scratch_size(shape) floats.
    size_t (*network_scratch_size)(const NetworkShape& shape);
    double (*network_gradient)(const NetworkShape& shape, const float* theta, const RowBatch& batch, const Penalty& settings,
                               float* scratch, float* gradient);
    void (*network_nll)(const NetworkShape& shape, const float* theta, const RowBatch& batch, float* scratch, float* nll);
    const Solver* solvers;
    size_t n_solvers;

    BenchmarkKernels benchmark;
    TestKernels test;
};

}  // namespace condensity
