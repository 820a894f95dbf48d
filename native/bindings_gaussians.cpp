// Mixtures of Gaussians over rows of a table: arrays checked, chunks of rows on threads, without the GIL.
#include "bindings_gaussians.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dispatch.hpp"
#include "kmeans.hpp"
#include "run_threads.hpp"

namespace condensity {
namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Cube = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using AnyFactors = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<nb::numpy, double, nb::c_contig>;
using Labels = nb::ndarray<nb::numpy, uint32_t, nb::ndim<1>, nb::c_contig>;

void require(bool condition, const char* message) {
    if (!condition) throw nb::value_error(message);
}

Gaussians describe(const Vector& log_constants, const Table& means, const AnyFactors& inverse_factors) {
    const size_t components = means.shape(0), columns = means.shape(1);
    require(components > 0 && columns > 0, "means must have shape (K, a), neither of them 0.");
    require(log_constants.shape(0) == components, "log_constants must have shape (K,), K as in means.");
    const bool independent = inverse_factors.ndim() == 2;
    require((independent || inverse_factors.ndim() == 3) && inverse_factors.shape(0) == components &&
                inverse_factors.shape(1) == columns && (independent || inverse_factors.shape(2) == columns),
            "inverse_factors must have shape (K, a, a) or (K, a), those of means.");
    return {columns, components, independent, log_constants.data(), means.data(), inverse_factors.data()};
}

void require_rows(const Gaussians& model, const Table& x) {
    require(x.shape(1) == model.columns, "x must have shape (n, a), a as in means.");
}

template <class Number>
nb::capsule owner_of(Number* values) {
    return nb::capsule(values, [](void* memory) noexcept { delete[] static_cast<Number*>(memory); });
}

template <class Kernel>
void on_blocks(const Gaussians& model, size_t rows, size_t block, size_t threads, Kernel kernel) {
    run_blocks(rows, block, threads, kernels().gaussian_scratch_size(model), kernel);
}

// Rows that a thread takes at a time where rows have nothing to do with each other.
constexpr size_t free_block = 2048;

// Sums over rows are made chunk by chunk, and those of the chunks added in their order: the chunks depend on the number of rows alone,
// so that the result is the same bits for every number of threads.
constexpr size_t least_chunk = 4096, most_chunks = 32;

size_t chunk_rows(size_t rows) { return std::max(least_chunk, (rows + most_chunks - 1) / most_chunks); }

Numbers log_density(const Vector& log_constants, const Table& means, const AnyFactors& inverse_factors, const Table& x, int64_t threads) {
    const Gaussians model = describe(log_constants, means, inverse_factors);
    require_rows(model, x);
    const size_t rows = x.shape(0), used = checked_threads(threads);
    std::unique_ptr<double[]> result(new double[rows]);
    {
        nb::gil_scoped_release without_gil;
        on_blocks(model, rows, free_block, used, [&](size_t first, size_t count, double* scratch) {
            kernels().gaussian_log_density(model, x.data() + first * model.columns, count, scratch, result.get() + first);
        });
    }
    double* values = result.release();
    return Numbers(values, {rows}, owner_of(values));
}

// (K·(1 + a + moments) + 1): see Kernels::gaussian_sums.
Numbers sums(const Vector& log_constants, const Table& means, const AnyFactors& inverse_factors, const Table& x, const Vector& weight,
             int64_t threads) {
    const Gaussians model = describe(log_constants, means, inverse_factors);
    require_rows(model, x);
    require(weight.shape(0) == x.shape(0), "weight must have shape (n,), n as in x.");
    const size_t rows = x.shape(0), used = checked_threads(threads), chunk = chunk_rows(rows);
    const size_t length = model.components * (1 + model.columns + model.moments()) + 1, chunks = (rows + chunk - 1) / chunk;
    std::unique_ptr<double[]> result(new double[length]());
    {
        nb::gil_scoped_release without_gil;
        std::vector<double> parts(chunks * length, 0.0);
        on_blocks(model, rows, chunk, used, [&](size_t first, size_t count, double* scratch) {
            kernels().gaussian_sums(model, x.data() + first * model.columns, weight.data() + first, count, scratch,
                                    parts.data() + first / chunk * length);
        });
        for (size_t part = 0; part < chunks; ++part)
            for (size_t i = 0; i < length; ++i) result[i] += parts[part * length + i];
    }
    double* values = result.release();
    return Numbers(values, {length}, owner_of(values));
}

std::pair<Numbers, Numbers> conditional(const Vector& log_constants, const Table& means, const AnyFactors& inverse_factors, const Cube& slopes,
                                        const Table& offsets, const Table& x, int64_t threads) {
    const Gaussians model = describe(log_constants, means, inverse_factors);
    require_rows(model, x);
    const size_t outputs = offsets.shape(1), rows = x.shape(0), used = checked_threads(threads), components = model.components;
    require(offsets.shape(0) == components && slopes.shape(0) == components && slopes.shape(1) == outputs &&
                slopes.shape(2) == model.columns,
            "slopes must have shape (K, q, a) and offsets (K, q).");
    std::unique_ptr<double[]> log_weights(new double[rows * components]), moved(new double[rows * components * outputs]);
    {
        nb::gil_scoped_release without_gil;
        on_blocks(model, rows, free_block, used, [&](size_t first, size_t count, double* scratch) {
            kernels().gaussian_conditional(model, slopes.data(), offsets.data(), outputs, x.data() + first * model.columns, count, scratch,
                                           log_weights.get() + first * components, moved.get() + first * components * outputs);
        });
    }
    double *first = log_weights.release(), *second = moved.release();
    return {Numbers(first, {rows, components}, owner_of(first)), Numbers(second, {rows, components, outputs}, owner_of(second))};
}

std::pair<Numbers, Labels> kmeans(const Table& x, const Vector& weight, const Table& uniforms, size_t n_steps) {
    const size_t rows = x.shape(0), columns = x.shape(1), components = uniforms.shape(0);
    require(rows > 0 && columns > 0 && components > 0 && uniforms.shape(1) > 0, "x and uniforms must not be empty.");
    require(weight.shape(0) == rows, "weight must have shape (n,), n as in x.");
    Clusters clusters(x.data(), weight.data(), rows, columns);
    {
        nb::gil_scoped_release without_gil;
        clusters.start(uniforms.data(), components, uniforms.shape(1));
        for (size_t i = 0; i < n_steps; ++i) clusters.step();
    }
    double* centres = new double[components * columns];
    std::copy(clusters.centres().begin(), clusters.centres().end(), centres);
    Numbers of_centres(centres, {components, columns}, owner_of(centres));
    uint32_t* labels = new uint32_t[rows];
    std::copy(clusters.nearest().begin(), clusters.nearest().end(), labels);
    return {of_centres, Labels(labels, {rows}, owner_of(labels))};
}

}  // namespace

void define_gaussians(nb::module_& module) {
    module.def("gaussian_log_density", &log_density, nb::arg("log_constants"), nb::arg("means"), nb::arg("inverse_factors"), nb::arg("x"),
               nb::arg("threads") = 1, "Log density of rows x (n, a) under K weighted normals: (n,).");
    module.def("gaussian_sums", &sums, nb::arg("log_constants"), nb::arg("means"), nb::arg("inverse_factors"), nb::arg("x"), nb::arg("weight"),
               nb::arg("threads") = 1,
               "For each component its expected count, first and second moments about its mean; last the log likelihood.");
    module.def("gaussian_conditional", &conditional, nb::arg("log_constants"), nb::arg("means"), nb::arg("inverse_factors"), nb::arg("slopes"),
               nb::arg("offsets"), nb::arg("x"), nb::arg("threads") = 1, "Log weights (n, K) and means (n, K, q) of other columns.");
    module.def("kmeans", &kmeans, nb::arg("x"), nb::arg("weight"), nb::arg("uniforms"), nb::arg("n_steps"),
               "Centres of clusters (K, a), and the nearest one of every row (n,).");
}

}  // namespace condensity
