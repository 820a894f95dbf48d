// The core without Python: exp and log against <cmath>, the mixture kernel against a plain scalar loop in long double,
// for every instruction set that this machine runs. Prints a line per group; exits 1 if any group fails.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "dispatch.hpp"

namespace {

using Vector = std::vector<double>;
using Sizes = std::initializer_list<std::size_t>;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

int failures = 0;

void report(const std::string& group, double worst, double allowed, const char* unit) {
    const bool good = worst <= allowed;  // false for NaN too
    failures += good ? 0 : 1;
    std::printf("%-6s %-40s worst %.3g, allowed %.3g %s\n", good ? "ok" : "FAILED", group.c_str(), worst, allowed, unit);
}

// A NaN where a number was expected is the largest error of all.
double larger_error(double a, double b) { return std::isnan(b) ? inf : std::fmax(a, b); }

// |got − exact| in units of the last place of a double near `exact`.
double ulps(double got, long double exact) {
    const double near = static_cast<double>(exact);
    if (std::isnan(near) || std::isinf(near) || near == 0.0) {
        const bool same = std::isnan(near) ? std::isnan(got) : got == near;
        return same ? 0.0 : inf;
    }
    const double size = std::fabs(near);
    const double ulp = size < std::numeric_limits<double>::max() ? std::nextafter(size, inf) - size : std::ldexp(1.0, 971);
    return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / static_cast<long double>(ulp));
}

Vector uniform(std::mt19937_64& random, std::size_t length, double low, double high) {
    std::uniform_real_distribution<double> draw(low, high);
    Vector values(length);
    for (double& value : values) value = draw(random);
    return values;
}

using ArrayFunction = void (*)(const double*, double*, std::size_t);

double worst_ulps(ArrayFunction function, long double (*exact)(long double), const Vector& input) {
    Vector result(input.size());
    function(input.data(), result.data(), input.size());
    double worst = 0.0;
    for (std::size_t i = 0; i < input.size(); ++i) {
        const double error = ulps(result[i], exact(static_cast<long double>(input[i])));
        worst = larger_error(worst, error);
    }
    return worst;
}

long double exact_exp(long double x) { return std::exp(x); }
long double exact_log(long double x) { return std::log(x); }

// In ulp of the result, the last rounding costs ½; in exp, r and 1 + (…) round at up to ¼ each, and the polynomial and
// ln 2 add less than ¼, so 1.25; in log, the small terms add less than ½ together, so 1.
void test_functions(const condensity::Kernels& kernels) {
    std::mt19937_64 random(1);
    const std::string isa = kernels.isa;
    report(isa + " exp in [-1, 1]", worst_ulps(kernels.exponential, exact_exp, uniform(random, 200001, -1, 1)), 1.25, "ulp");
    report(isa + " exp in [-800, 720]", worst_ulps(kernels.exponential, exact_exp, uniform(random, 200003, -800, 720)), 1.25,
           "ulp");
    const Vector exp_edges = {0.0,  -0.0, inf,   -inf,   nan,    709.78271289338397, 709.78271289338409, 710, 1e300, -708.4,
                              -745, -746, -1e300, 1e-320, -1e-320, -745.13321910194122, -745.13321910194111, 5e-324};
    report(isa + " exp at edges", worst_ulps(kernels.exponential, exact_exp, exp_edges), 1.25, "ulp");

    Vector everywhere(200001);
    for (double& value : everywhere) {  // all positive finite numbers, subnormals included, by their bits
        const std::uint64_t bits = random() % 0x7ff0000000000000u;
        std::memcpy(&value, &bits, sizeof value);
    }
    report(isa + " log of all magnitudes", worst_ulps(kernels.logarithm, exact_log, everywhere), 1, "ulp");
    report(isa + " log in [0.6, 1.6]", worst_ulps(kernels.logarithm, exact_log, uniform(random, 200001, 0.6, 1.6)), 1, "ulp");
    report(isa + " log within 1e-9 of 1",
           worst_ulps(kernels.logarithm, exact_log, uniform(random, 9999, 1 - 1e-9, 1 + 1e-9)), 1, "ulp");
    const Vector log_edges = {0.0,     -0.0,   inf,      -inf, nan, -1.0, -5e-324, 5e-324, 2.2250738585072014e-308,
                              1e-320, 1.7976931348623157e308, 1.0, 0.70710678118654746, 0.70710678118654757, -1e300};
    report(isa + " log at edges", worst_ulps(kernels.logarithm, exact_log, log_edges), 1, "ulp");
}

struct Problem {
    std::size_t rows, components, points;
    Vector log_weights, means, scales, y;

    condensity::MixtureBatch batch() const {
        return {log_weights.data(), means.data(), scales.data(), y.data(), rows, components, points};
    }
};

Problem random_problem(std::mt19937_64& random, std::size_t rows, std::size_t components, std::size_t points) {
    Problem problem{rows, components, points, uniform(random, rows * components, -40, 0),
                    uniform(random, rows * components, -5, 5), uniform(random, rows * components, -30, 30),
                    uniform(random, rows * points, -50, 50)};
    for (double& value : problem.scales) value = std::exp(value);
    return problem;
}

long double exact_logpdf(const Problem& problem, std::size_t row, double y) {
    std::vector<long double> terms;
    long double peak = -std::numeric_limits<long double>::infinity();
    for (std::size_t k = 0; k < problem.components; ++k) {
        const std::size_t i = row * problem.components + k;
        const long double scale = static_cast<long double>(problem.scales[i]);
        const long double z = (static_cast<long double>(y) - static_cast<long double>(problem.means[i])) / scale;
        const long double term = static_cast<long double>(problem.log_weights[i]) - 0.5L * z * z - std::log(scale) -
                                 0.91893853320467274178032973640562L;
        terms.push_back(term);
        peak = term > peak ? term : peak;
    }
    long double sum = 0;
    for (const long double term : terms) sum += std::exp(term - peak);
    return peak + std::log(sum);
}

// The largest |error| / max(1, |log p|).
double worst_error(const condensity::Kernels& kernels, const Problem& problem) {
    Vector result(problem.rows * problem.points, nan);
    kernels.mixture_logpdf(problem.batch(), result.data());
    double worst = 0.0;
    for (std::size_t i = 0; i < result.size(); ++i) {
        const long double exact = exact_logpdf(problem, i / problem.points, problem.y[i]);
        const long double size = std::fabs(exact) > 1 ? std::fabs(exact) : 1;
        const double error = static_cast<double>(std::fabs(static_cast<long double>(result[i]) - exact) / size);
        worst = larger_error(worst, error);
    }
    return worst;
}

// Below one lane group, one block of 64 points or components, just above, and several; every tail length occurs.
void test_mixture(const condensity::Kernels& kernels) {
    std::mt19937_64 random(2);
    double worst = 0.0;
    for (const std::size_t rows : Sizes{0, 1, 2, 9, 19})
        for (const std::size_t components : Sizes{1, 3, 8, 63, 64, 65, 130})
            for (const std::size_t points : Sizes{0, 1, 2, 3, 5, 7, 8, 17, 63, 64, 65, 131}) {
                const double error = worst_error(kernels, random_problem(random, rows, components, points));
                worst = larger_error(worst, error);
            }
    // Rounding alone: 2.2e-16·(a handful of operations on numbers up to |log p| + 70).
    report(std::string(kernels.isa) + " mixture_logpdf, 420 shapes", worst, 1e-13, "of max(1, |log p|)");
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Every value computed alone, (1, K) at one point, has the bits that it has in the batch.
void test_position(const condensity::Kernels& kernels) {
    std::mt19937_64 random(3);
    double different = 0;
    for (const std::size_t points : Sizes{1, 3, 67}) {
        Problem problem = random_problem(random, 21, 70, points);
        Vector result(problem.rows * points);
        kernels.mixture_logpdf(problem.batch(), result.data());
        for (std::size_t i = 0; i < result.size(); ++i) {
            condensity::MixtureBatch one = problem.batch();
            one.log_weights += i / points * problem.components;
            one.means += i / points * problem.components;
            one.scales += i / points * problem.components;
            one.y += i;
            one.rows = one.points = 1;
            double alone = nan;
            kernels.mixture_logpdf(one, &alone);
            different += same_bits(alone, result[i]) ? 0 : 1;
        }
    }
    report(std::string(kernels.isa) + " same bits alone and in a batch", different, 0, "values");
}

void test_edges(const condensity::Kernels& kernels) {
    struct Case {
        double log_weight, mean, scale, y, expected;
    };
    const double peak = -0.91893853320467274178;
    const Case cases[] = {
        {0, 0, 1, 0, peak},        {0, 0, 1, inf, -inf},   {0, 0, 1, -inf, -inf},     {0, 0, 1, nan, nan},
        {nan, 0, 1, 0, nan},       {0, nan, 1, 0, nan},    {0, 0, nan, 0, nan},       {-inf, 0, 1, 0, -inf},
        {-inf, 0, 1, inf, -inf},   {-inf, 0, 1, nan, nan}, {0, 0, 1e-300, 1e300, -inf}, {0, 0, -1, 0, nan},
        {0, 1e308, 1, -1e308, -inf}, {0, 0, 5e-324, 0, peak + 744.4400719213812},
    };
    double wrong = 0;
    for (const Case& c : cases)
        for (const std::size_t points : Sizes{1, 9}) {
            const Problem problem{1, 1, points, {c.log_weight}, {c.mean}, {c.scale}, Vector(points, c.y)};
            Vector result(points);
            kernels.mixture_logpdf(problem.batch(), result.data());
            for (const double got : result) {
                const bool good = std::isnan(c.expected) ? std::isnan(got)
                                                         : got == c.expected || std::fabs(got - c.expected) < 1e-12;
                wrong += good ? 0 : 1;
            }
        }
    report(std::string(kernels.isa) + " edges", wrong, 0, "values");
}

void test_dispatch() {
    double wrong = 0;
    for (const std::string& name : condensity::available_isas()) {
        condensity::use_isa(name);
        wrong += name == condensity::kernels().isa ? 0 : 1;
    }
    try {
        condensity::use_isa("mmx");
        wrong += 1;
    } catch (const std::invalid_argument& error) {
        wrong += std::string(error.what()).find("'mmx'") != std::string::npos ? 0 : 1;
    }
    report("dispatch", wrong, 0, "failures");
}

}  // namespace

int main() {
    for (const std::string& name : condensity::available_isas()) {
        condensity::use_isa(name);
        const condensity::Kernels& kernels = condensity::kernels();
        test_functions(kernels);
        test_mixture(kernels);
        test_position(kernels);
        test_edges(kernels);
    }
    test_dispatch();
    std::printf("%s\n", failures == 0 ? "all groups passed" : "SOME GROUPS FAILED");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
