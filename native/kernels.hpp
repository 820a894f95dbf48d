// What every instruction set offers, and nothing else: plain data types that all translation units may share.
//
// Files compiled for one instruction set (kernels_*.cpp and the headers they include) contain no standard library and
// put all code in an unnamed namespace, so that the linker can never hand AVX-512 code to an older machine.
#pragma once

#include <stddef.h>

namespace condensity {

// n rows × K components, evaluated at g points a row; all arrays row-major and contiguous, in data units.
struct MixtureBatch {
    const double* log_weights;  // (n, K)
    const double* means;        // (n, K)
    const double* scales;       // (n, K)
    const double* y;            // (n, g)
    size_t rows;
    size_t components;
    size_t points;
};

// One instruction set's functions.
struct Kernels {
    const char* isa;
    void (*mixture_logpdf)(const MixtureBatch& batch, double* result);         // result (n, g)
    void (*exponential)(const double* input, double* result, size_t length);  // elementwise, for the tests
    void (*logarithm)(const double* input, double* result, size_t length);
};

}  // namespace condensity
