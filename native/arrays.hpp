// NumPy arrays at the border: checked, and copied only where the kernels could not read them in place.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace condensity {

namespace nb = nanobind;

using AnyArray = nb::ndarray<nb::ro, nb::device::cpu>;

inline std::string describe_shape(const AnyArray& array) {
    std::string text = "(";
    for (size_t axis = 0; axis < array.ndim(); ++axis)
        text += (axis > 0 ? ", " : "") + std::to_string(array.shape(axis));
    return text + (array.ndim() == 1 ? ",)" : ")");
}

inline std::string describe_dtype(nb::dlpack::dtype dtype) {
    const auto code = static_cast<nb::dlpack::dtype_code>(dtype.code);
    const char* kind = code == nb::dlpack::dtype_code::Float     ? "float"
                       : code == nb::dlpack::dtype_code::Int     ? "int"
                       : code == nb::dlpack::dtype_code::UInt    ? "uint"
                       : code == nb::dlpack::dtype_code::Complex ? "complex"
                       : code == nb::dlpack::dtype_code::Bool    ? "bool"
                                                                 : "another kind of ";
    return kind + std::to_string(dtype.bits);
}

// A float64 matrix whose rows are contiguous and equally spaced, or all the same: the caller's memory where it is so
// already, else a copy.
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
        const bool repeated = rows > 1 && array.stride(0) == 0;  // np.broadcast_to: one row in memory
        const size_t stored = repeated ? 1 : rows;
        row_stride = repeated ? 0 : columns;
        const bool contiguous = (columns <= 1 || array.stride(1) == 1) &&
                                (stored <= 1 || array.stride(0) == static_cast<int64_t>(columns));
        const bool aligned = reinterpret_cast<std::uintptr_t>(values) % alignof(double) == 0;
        if (!(contiguous && aligned) && stored * columns > 0) copy(stored, array.stride(0), array.stride(1));
    }

    void require_shape(size_t expected_rows, size_t expected_columns, const char* name, const char* meaning) const {
        if (rows == expected_rows && columns == expected_columns) return;
        const std::string text = std::string(name) + " must have shape " + meaning + " = (" +
                                 std::to_string(expected_rows) + ", " + std::to_string(expected_columns) + "); got (" +
                                 std::to_string(rows) + ", " + std::to_string(columns) + ").";
        throw nb::value_error(text.c_str());
    }

    MatrixView from_row(size_t first) const { return {values + first * row_stride, columns, row_stride}; }

    const double* values;
    size_t rows, columns, row_stride;

private:
    // Strides in elements, negative ones too. By memcpy, since the memory may be misaligned.
    void copy(size_t stored, int64_t row_step, int64_t column_step) {
        owned.resize(stored * columns);
        const char* bytes = reinterpret_cast<const char*>(values);
        constexpr auto size = static_cast<int64_t>(sizeof(double));
        for (size_t i = 0; i < stored; ++i)
            for (size_t j = 0; j < columns; ++j) {
                const int64_t element = static_cast<int64_t>(i) * row_step + static_cast<int64_t>(j) * column_step;
                std::memcpy(&owned[i * columns + j], bytes + element * size, sizeof(double));
            }
        values = owned.data();
    }

    std::vector<double> owned;
};

using Result = nb::ndarray<nb::numpy, double, nb::ndim<2>, nb::c_contig>;

// A NumPy array (rows, columns) that fill(double*) writes, called without the GIL.
template <class Fill>
Result make_result(size_t rows, size_t columns, Fill fill) {
    // Not make_unique, which would write zeros over memory that is about to be filled.
    std::unique_ptr<double[]> result(new double[rows * columns]);
    {
        nb::gil_scoped_release without_gil;
        fill(result.get());
    }
    nb::capsule owner(result.get(), [](void* memory) noexcept { delete[] static_cast<double*>(memory); });
    return Result(result.release(), {rows, columns}, owner);
}

}  // namespace condensity
