// What the tests of the core share: errors in the units of their bounds, and the report of each group.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "dispatch.hpp"

namespace condensity::tests {

using Vector = std::vector<double>;
using Sizes = std::initializer_list<std::size_t>;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Prints a line; a group fails where the worst error is above what is allowed, or NaN.
void report(const std::string& group, double worst, double allowed, const char* unit);

// A NaN where a number was expected is the largest error of all.
inline double larger_error(double a, double b) { return std::isnan(b) ? inf : std::fmax(a, b); }

// |got − exact| in units of the last place of a double near `exact`.
inline double ulps(double got, long double exact) {
    const double near = static_cast<double>(exact);
    if (std::isnan(near) || std::isinf(near) || near == 0.0) {
        const bool same = std::isnan(near) ? std::isnan(got) : got == near;
        return same ? 0.0 : inf;
    }
    const double size = std::fabs(near);
    const double ulp = size < std::numeric_limits<double>::max() ? std::nextafter(size, inf) - size : std::ldexp(1.0, 971);
    return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / static_cast<long double>(ulp));
}

inline Vector uniform(std::mt19937_64& random, std::size_t length, double low, double high) {
    std::uniform_real_distribution<double> draw(low, high);
    Vector values(length);
    for (double& value : values) value = draw(random);
    return values;
}

// The groups, by file.
void test_functions(const Kernels& kernels);
void test_mixtures(const Kernels& kernels);
void test_gaussians(const Kernels& kernels);
void test_training(const Kernels& kernels);
void test_kmeans();

}  // namespace condensity::tests
