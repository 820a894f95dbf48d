// Rows in blocks, over threads that are started for the call and joined before it returns: nothing outlives a call, so a
// fork between calls is harmless. Rows are independent, so results are the same bits for every number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace condensity {

// Thrown when `interrupted` said so; part of the results is missing.
struct Interrupted : std::exception {
    const char* what() const noexcept override { return "interrupted"; }
};

// Calls work(first, count) until [0, rows) is covered, on `threads` threads, the caller's among them. `make_work()` gives
// each thread a callable of its own. The caller's thread asks interrupted() about ten times a second.
template <class MakeWork, class Interruption>
void for_row_blocks(std::size_t rows, std::size_t block, std::size_t threads, MakeWork make_work, Interruption interrupted) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> stop{false};
    const auto run = [&](auto work, auto pause) {
        while (!stop.load()) {
            const std::size_t first = next.fetch_add(block);
            if (first >= rows) return;
            work(first, std::min(block, rows - first));
            pause();
        }
    };
    const std::size_t blocks = (rows + block - 1) / block;
    std::vector<std::thread> helpers;
    const auto join = [&] {
        for (std::thread& helper : helpers) helper.join();
    };
    try {
        for (std::size_t i = 1; i < std::min(threads, blocks); ++i)
            helpers.emplace_back([&run, work = make_work()]() mutable { run(std::move(work), [] {}); });
        auto last = std::chrono::steady_clock::now();
        run(make_work(), [&] {
            const auto now = std::chrono::steady_clock::now();
            if (now - last < std::chrono::milliseconds(100)) return;
            last = now;
            if (interrupted()) stop = true;
        });
    } catch (...) {
        stop = true;
        join();
        throw;
    }
    join();
    if (stop) throw Interrupted();
}

}  // namespace condensity
