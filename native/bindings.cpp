// The Python module condensity.engines._native: checks and copies at the border, then row blocks without the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "bindings_gaussians.hpp"
#include "bindings_training.hpp"
#include "dispatch.hpp"
#include "source_hash.hpp"
#include "run_threads.hpp"

namespace {

using namespace condensity;

// Runs kernel(first, count, scratch) over all rows. Blocks of about 2¹⁶ component terms: a millisecond or so each.
template <class Kernel>
void run_rows(size_t rows, size_t components, size_t columns, size_t threads, Kernel kernel) {
    const size_t terms = components * std::max<size_t>(columns, 1);
    const size_t block = std::max<size_t>(64, (size_t{1} << 16) / terms / 64 * 64);
    run_blocks(rows, block, threads, kernels().scratch_size(components), kernel);
}

struct Parameters {
    Parameters(const AnyArray& log_weights, const AnyArray& means, const AnyArray& scales)
        : w(log_weights, "log_weights"), mu(means, "means"), sigma(scales, "scales") {
        mu.require_shape(w.rows, w.columns, "means", "(n, K), that of log_weights,");
        sigma.require_shape(w.rows, w.columns, "scales", "(n, K), that of log_weights,");
        if (w.columns == 0) throw nb::value_error("log_weights must have at least one component; got K = 0.");
    }

    MixtureBatch from_row(size_t first, size_t count) const {
        return {w.from_row(first), mu.from_row(first), sigma.from_row(first), count, w.columns};
    }

    Matrix w, mu, sigma;
};

using PointKernel = void (*)(const MixtureBatch&, const MatrixView&, double*, double*);

template <PointKernel Kernels::*member>
Result evaluate(const AnyArray& log_weights, const AnyArray& means, const AnyArray& scales, const AnyArray& y,
                int64_t threads) {
    const Parameters p(log_weights, means, scales);
    const Matrix points(y, "y");
    points.require_shape(p.w.rows, points.columns, "y", "(n, g), n as in log_weights,");
    const size_t used = checked_threads(threads);
    const PointKernel kernel = kernels().*member;
    return make_result(p.w.rows, points.columns, [&](double* result) {
        run_rows(p.w.rows, p.w.columns, points.columns, used, [&](size_t first, size_t count, double* scratch) {
            kernel(p.from_row(first, count), points.from_row(first), scratch, result + first * points.columns);
        });
    });
}

Result quantile(const AnyArray& log_weights, const AnyArray& means, const AnyArray& scales, const AnyArray& log_lower,
                const AnyArray& log_upper, int64_t threads) {
    const Parameters p(log_weights, means, scales);
    const Matrix lower(log_lower, "log_lower"), upper(log_upper, "log_upper");
    lower.require_shape(p.w.rows, lower.columns, "log_lower", "(n, m), n as in log_weights,");
    upper.require_shape(p.w.rows, lower.columns, "log_upper", "(n, m), that of log_lower,");
    const size_t used = checked_threads(threads);
    const Kernels& chosen = kernels();
    return make_result(p.w.rows, lower.columns, [&](double* result) {
        run_rows(p.w.rows, p.w.columns, 8 * lower.columns, used, [&](size_t first, size_t count, double* scratch) {
            chosen.mixture_quantile(p.from_row(first, count), lower.from_row(first), upper.from_row(first), scratch,
                                    result + first * lower.columns);
        });
    });
}

Result sample(const AnyArray& log_weights, const AnyArray& means, const AnyArray& scales, size_t n_samples, uint64_t key,
              int64_t threads) {
    const Parameters p(log_weights, means, scales);
    const size_t used = checked_threads(threads);
    const Kernels& chosen = kernels();
    return make_result(p.w.rows, n_samples, [&](double* result) {
        run_rows(p.w.rows, p.w.columns, n_samples, used, [&](size_t first, size_t count, double* scratch) {
            chosen.mixture_sample(p.from_row(first, count), {key, first, n_samples}, scratch, result + first * n_samples);
        });
    });
}

constexpr const char* array_rules =
    "\n\nArrays may be read-only, broadcast, strided or misaligned (the last two are copied). Another dtype or byte order,\n"
    "or strides that are no multiple of 8 bytes, raise TypeError; another shape ValueError.";

template <PointKernel Kernels::*member>
void define_point_kernel(nb::module_& module, const char* name, const char* what) {
    const std::string text =
        std::string(what) + " of row-wise mixtures: (n, K), (n, K), (n, K), (n, g) float64 -> (n, g) float64." + array_rules;
    module.def(name, &evaluate<member>, nb::arg("log_weights"), nb::arg("means"), nb::arg("scales"), nb::arg("y"),
               nb::arg("threads") = 1, text.c_str());
}

}  // namespace

NB_MODULE(_native, module) {
    nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
        try {
            std::rethrow_exception(pointer);
        } catch (const condensity::Interrupted&) {  // the signal handler's exception is set already
        }
    });
    module.doc() = "Compiled kernels of condensity; reached through condensity.engines only.";
    module.attr("SOURCE_HASH") = condensity::source_hash;
    module.attr("INTERFACE_VERSION") = 1;  // increased with every change of what Python calls here
    define_point_kernel<&Kernels::mixture_logpdf>(module, "mixture_logpdf", "Log density");
    define_point_kernel<&Kernels::mixture_logcdf>(module, "mixture_logcdf", "Log of P(Y <= y)");
    define_point_kernel<&Kernels::mixture_logsf>(module, "mixture_logsf", "Log of P(Y > y)");
    define_point_kernel<&Kernels::mixture_crps>(module, "mixture_crps", "Continuous ranked probability score");
    const std::string rules = array_rules;
    module.def("mixture_quantile", &quantile, nb::arg("log_weights"), nb::arg("means"), nb::arg("scales"),
               nb::arg("log_lower"), nb::arg("log_upper"), nb::arg("threads") = 1,
               ("Quantiles of row-wise mixtures: (n, K), (n, K), (n, K), then log p and log(1 - p), (n, m) -> (n, m)." +
                rules).c_str());
    module.def("mixture_sample", &sample, nb::arg("log_weights"), nb::arg("means"), nb::arg("scales"),
               nb::arg("n_samples"), nb::arg("key"), nb::arg("threads") = 1,
               ("Draws from row-wise mixtures: (n, K), (n, K), (n, K) -> (n, n_samples), from the stream `key`." + rules)
                   .c_str());
    condensity::define_gaussians(module);
    condensity::define_training(module);
    module.def("available_isas", &condensity::available_isas,
               "Names of the instruction sets that run on this machine, slowest first.");
    module.def(
        "isa", [] { return std::string(condensity::kernels().isa); }, "Name of the instruction set in use.");
    module.def("use_isa", &condensity::use_isa, nb::arg("name"),
               "Choose an instruction set for the whole process; ValueError if it cannot run here.");
}
