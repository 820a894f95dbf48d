// What kernels called from Python share: threads that Ctrl-C ends, and a check of how many were asked for.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>
#include <vector>

#include "threads.hpp"

namespace condensity {

namespace nb = nanobind;

// Whether a signal handler raised, Ctrl-C's for one; always false off the main thread. The exception stays set.
inline bool signal_raised() {
    nb::gil_scoped_acquire with_gil;
    return PyErr_CheckSignals() != 0;
}

// Runs kernel(first, count, scratch) on blocks of rows; each thread has scratch of its own.
template <class Kernel>
void run_blocks(std::size_t rows, std::size_t block, std::size_t threads, std::size_t scratch_size, Kernel kernel) {
    for_row_blocks(
        rows, block, threads,
        [&] {
            return [&kernel, scratch = std::vector<double>(scratch_size)](std::size_t first, std::size_t count) mutable {
                kernel(first, count, scratch.data());
            };
        },
        signal_raised);
}

inline std::size_t checked_threads(std::int64_t threads) {
    if (threads < 1) throw nb::value_error(("threads must be >= 1; got " + std::to_string(threads) + ".").c_str());
    return static_cast<std::size_t>(threads);
}

}  // namespace condensity
