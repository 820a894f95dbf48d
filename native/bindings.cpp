// The Python module condensity.kernels._native: checks and copies at the border, then one call without the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "dispatch.hpp"
#include "source_hash.hpp"

namespace nb = nanobind;

namespace {

using AnyArray = nb::ndarray<nb::ro, nb::device::cpu>;

std::string describe_shape(const AnyArray& array) {
    std::string text = "(";
    for (size_t axis = 0; axis < array.ndim(); ++axis)
        text += (axis > 0 ? ", " : "") + std::to_string(array.shape(axis));
    return text + (array.ndim() == 1 ? ",)" : ")");
}

std::string describe_dtype(nb::dlpack::dtype dtype) {
    const auto code = static_cast<nb::dlpack::dtype_code>(dtype.code);
    const char* kind = code == nb::dlpack::dtype_code::Float     ? "float"
                       : code == nb::dlpack::dtype_code::Int     ? "int"
                       : code == nb::dlpack::dtype_code::UInt    ? "uint"
                       : code == nb::dlpack::dtype_code::Complex ? "complex"
                       : code == nb::dlpack::dtype_code::Bool    ? "bool"
                                                                 : "another kind of ";
    return kind + std::to_string(dtype.bits);
}

// A float64 matrix, contiguous and row-major: the caller's memory where it is so already, else a copy.
class Matrix {
public:
    Matrix(const AnyArray& array, const char* name) {
        if (array.dtype() != nb::dtype<double>())
            throw nb::type_error(
                (std::string(name) + " must have dtype float64; got " + describe_dtype(array.dtype()) + ".").c_str());
        if (array.ndim() != 2)
            throw nb::value_error(
                (std::string(name) + " must have 2 dimensions; got shape " + describe_shape(array) + ".").c_str());
        rows = array.shape(0);
        columns = array.shape(1);
        values = static_cast<const double*>(array.data());
        const auto width = static_cast<int64_t>(columns);
        const bool contiguous = (columns <= 1 || array.stride(1) == 1) && (rows <= 1 || array.stride(0) == width);
        const bool aligned = reinterpret_cast<std::uintptr_t>(values) % alignof(double) == 0;
        if (!(contiguous && aligned) && rows * columns > 0) copy(array.stride(0), array.stride(1));
    }

    void require_shape(size_t expected_rows, size_t expected_columns, const char* name, const char* meaning) const {
        if (rows == expected_rows && columns == expected_columns) return;
        const std::string text = std::string(name) + " must have shape " + meaning + " = (" +
                                 std::to_string(expected_rows) + ", " + std::to_string(expected_columns) + "); got (" +
                                 std::to_string(rows) + ", " + std::to_string(columns) + ").";
        throw nb::value_error(text.c_str());
    }

    const double* values;
    size_t rows, columns;

private:
    // Strides in elements, negative ones too. By memcpy, since the memory may be misaligned.
    void copy(int64_t row_stride, int64_t column_stride) {
        owned.resize(rows * columns);
        const char* bytes = reinterpret_cast<const char*>(values);
        constexpr auto size = static_cast<int64_t>(sizeof(double));
        for (size_t i = 0; i < rows; ++i)
            for (size_t j = 0; j < columns; ++j) {
                const int64_t element = static_cast<int64_t>(i) * row_stride + static_cast<int64_t>(j) * column_stride;
                std::memcpy(&owned[i * columns + j], bytes + element * size, sizeof(double));
            }
        values = owned.data();
    }

    std::vector<double> owned;
};

using Result = nb::ndarray<nb::numpy, double, nb::ndim<2>, nb::c_contig>;

Result mixture_logpdf(const AnyArray& log_weights, const AnyArray& means, const AnyArray& scales, const AnyArray& y) {
    const Matrix w(log_weights, "log_weights"), mu(means, "means"), sigma(scales, "scales"), points(y, "y");
    mu.require_shape(w.rows, w.columns, "means", "(n, K), that of log_weights,");
    sigma.require_shape(w.rows, w.columns, "scales", "(n, K), that of log_weights,");
    points.require_shape(w.rows, points.columns, "y", "(n, g), n as in log_weights,");
    if (w.columns == 0) throw nb::value_error("log_weights must have at least one component; got K = 0.");

    const condensity::Kernels& kernels = condensity::kernels();
    // Not make_unique, which would write zeros over memory that is about to be filled.
    std::unique_ptr<double[]> result(new double[points.rows * points.columns]);
    {
        nb::gil_scoped_release without_gil;
        kernels.mixture_logpdf(
            {w.values, mu.values, sigma.values, points.values, w.rows, w.columns, points.columns}, result.get());
    }
    nb::capsule owner(result.get(), [](void* memory) noexcept { delete[] static_cast<double*>(memory); });
    return Result(result.release(), {points.rows, points.columns}, owner);
}

}  // namespace

NB_MODULE(_native, module) {
    module.doc() = "Compiled kernels of condensity; reached through condensity.kernels only.";
    module.attr("SOURCE_HASH") = condensity::source_hash;
    module.def("mixture_logpdf", &mixture_logpdf, nb::arg("log_weights"), nb::arg("means"), nb::arg("scales"),
               nb::arg("y"),
               "Log density of row-wise mixtures: (n, K), (n, K), (n, K), (n, g) float64 -> (n, g) float64.\n\n"
               "Arrays may be read-only, strided or misaligned (then copied). Another dtype or byte order, or strides\n"
               "that are no multiple of 8 bytes, raise TypeError; another shape ValueError.");
    module.def("available_isas", &condensity::available_isas,
               "Names of the instruction sets that run on this machine, slowest first.");
    module.def(
        "isa", [] { return std::string(condensity::kernels().isa); }, "Name of the instruction set in use.");
    module.def("use_isa", &condensity::use_isa, nb::arg("name"),
               "Choose an instruction set for the whole process; ValueError if it cannot run here.");
}
