// The mixture kernels against plain scalar loops in long double, and against each other.
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"

namespace condensity::tests {
namespace {

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

struct Problem {
    std::size_t rows, components, points;
    Vector log_weights, means, scales, y;

    MixtureBatch batch() const {
        return {view(log_weights, components), view(means, components), view(scales, components), rows, components};
    }

    MatrixView at() const { return view(y, points); }

    static MatrixView view(const Vector& values, std::size_t columns) { return {values.data(), columns, columns}; }
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

using PointKernel = void (*)(const MixtureBatch&, const MatrixView&, double*, double*);

// The result of a kernel, with scratch of exactly the size it asks for, so that AddressSanitizer sees an overrun.
Vector run(const Kernels& kernels, PointKernel kernel, const MixtureBatch& batch,
           const MatrixView& y) {
    Vector result(batch.rows * y.columns, nan), scratch(kernels.scratch_size(batch.components), nan);
    kernel(batch, y, scratch.data(), result.data());
    return result;
}

// The largest |error| / max(1, |log p|).
double worst_error(const Kernels& kernels, const Problem& problem) {
    const Vector result = run(kernels, kernels.mixture_logpdf, problem.batch(), problem.at());
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
void test_log_density(const Kernels& kernels) {
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

// Every value computed alone, (1, K) at one point, has the bits that it has in the batch.
void test_position(const Kernels& kernels) {
    std::mt19937_64 random(3);
    double different = 0;
    for (const PointKernel kernel :
         {kernels.mixture_logpdf, kernels.mixture_logcdf, kernels.mixture_logsf, kernels.mixture_crps})
        for (const std::size_t points : Sizes{1, 3, 67}) {
            const Problem problem = random_problem(random, 21, 30, points);
            const Vector result = run(kernels, kernel, problem.batch(), problem.at());
            for (std::size_t i = 0; i < result.size(); ++i) {
                MixtureBatch one = problem.batch();
                for (MatrixView* part : {&one.log_weights, &one.means, &one.scales})
                    part->values += i / points * problem.components;
                one.rows = 1;
                const double alone = run(kernels, kernel, one, {problem.y.data() + i, 1, 1})[0];
                different += same_bits(alone, result[i]) ? 0 : 1;
            }
        }
    report(std::string(kernels.isa) + " same bits alone and in a batch", different, 0, "values");
}

// log F(ppf(p)) = log p and log S(isf(p)) = log p, rows in lanes and levels in lanes, with the same bits.
void test_quantiles(const Kernels& kernels) {
    std::mt19937_64 random(4);
    const Vector lower = {-700, -40, -2, -0.7, -1e-3, -1e-9, 0, -inf, nan};
    Vector upper;
    for (const double value : lower) upper.push_back(value < -40 ? -std::exp(value) : std::log(-std::expm1(value)));
    double worst = 0, different = 0;
    for (const std::size_t rows : Sizes{1, 2, 9, 19}) {
        Problem problem = random_problem(random, rows, 5, lower.size());
        for (std::size_t i = 0; i < rows; ++i) {  // weights that sum to one, scales of one size
            double mass = 0;
            for (std::size_t k = 0; k < 5; ++k) mass += std::exp(problem.log_weights[i * 5 + k]);
            for (std::size_t k = 0; k < 5; ++k) problem.log_weights[i * 5 + k] -= std::log(mass);
            for (std::size_t k = 0; k < 5; ++k) problem.scales[i * 5 + k] = std::pow(problem.scales[i * 5 + k], 0.1);
        }
        const auto solve = [&](const MixtureBatch& batch) {
            Vector result(batch.rows * lower.size(), nan), scratch(kernels.scratch_size(5), nan);
            kernels.mixture_quantile(batch, {lower.data(), lower.size(), 0}, {upper.data(), upper.size(), 0}, scratch.data(),
                                     result.data());
            return result;
        };
        problem.y = solve(problem.batch());
        const Vector f = run(kernels, kernels.mixture_logcdf, problem.batch(), problem.at());
        const Vector s = run(kernels, kernels.mixture_logsf, problem.batch(), problem.at());
        for (std::size_t i = 0; i < f.size(); ++i) {
            const std::size_t j = i % lower.size();
            if (std::isnan(lower[j])) worst = larger_error(worst, std::isnan(problem.y[i]) ? 0 : inf);
            else if (std::isinf(lower[j]) || std::isinf(upper[j]))
                worst = larger_error(worst, problem.y[i] == (std::isinf(lower[j]) ? -inf : inf) ? 0 : inf);
            else if (lower[j] < upper[j]) worst = larger_error(worst, std::fabs(f[i] - lower[j]));
            else worst = larger_error(worst, std::fabs(s[i] - upper[j]));
        }
        for (std::size_t row = 0; row < rows; ++row) {
            MixtureBatch one = problem.batch();
            for (MatrixView* part : {&one.log_weights, &one.means, &one.scales}) part->values += row * 5;
            one.rows = 1;
            const Vector alone = solve(one);
            for (std::size_t j = 0; j < lower.size(); ++j)
                different += same_bits(alone[j], problem.y[row * lower.size() + j]) ||
                                     (std::isnan(alone[j]) && std::isnan(problem.y[row * lower.size() + j]))
                                 ? 0
                                 : 1;
        }
    }
    // An ulp of y moves log F by |z| / σ · |y| ulp; 1e-10 is the contract, 1e-11 what these rows allow.
    report(std::string(kernels.isa) + " mixture_quantile", worst, 1e-11, "in log probability");
    report(std::string(kernels.isa) + " quantiles alone and in a batch", different, 0, "values");
}

// Draws do not depend on how the rows are cut into batches; every shape stays inside its memory.
void test_samples(const Kernels& kernels) {
    std::mt19937_64 random(5);
    double different = 0;
    for (const std::size_t samples : Sizes{0, 1, 2, 7, 15, 16, 33}) {
        Problem problem = random_problem(random, 11, 3, 1);
        for (std::size_t i = 0; i < 11; ++i) problem.log_weights[3 * i] = problem.log_weights[3 * i + 1] = -std::log(2.0);
        for (std::size_t i = 0; i < 11; ++i) problem.log_weights[3 * i + 2] = -inf;
        Vector together(11 * samples, nan), scratch(kernels.scratch_size(3), nan);
        kernels.mixture_sample(problem.batch(), {99, 0, samples}, scratch.data(), together.data());
        for (std::size_t row = 0; row < 11; ++row) {
            MixtureBatch one = problem.batch();
            for (MatrixView* part : {&one.log_weights, &one.means, &one.scales}) part->values += row * 3;
            one.rows = 1;
            Vector alone(samples, nan);
            kernels.mixture_sample(one, {99, row, samples}, scratch.data(), alone.data());
            for (std::size_t j = 0; j < samples; ++j)
                different += same_bits(alone[j], together[row * samples + j]) && std::isfinite(alone[j]) ? 0 : 1;
        }
    }
    report(std::string(kernels.isa) + " draws row by row and together", different, 0, "values");
}

void test_edges(const Kernels& kernels) {
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
            const Vector result = run(kernels, kernels.mixture_logpdf, problem.batch(), problem.at());
            for (const double got : result) {
                const bool good = std::isnan(c.expected) ? std::isnan(got)
                                                         : got == c.expected || std::fabs(got - c.expected) < 1e-12;
                wrong += good ? 0 : 1;
            }
        }
    report(std::string(kernels.isa) + " edges", wrong, 0, "values");
}

}  // namespace

void test_mixtures(const Kernels& kernels) {
    test_log_density(kernels);
    test_position(kernels);
    test_edges(kernels);
    test_quantiles(kernels);
    test_samples(kernels);
}

}  // namespace condensity::tests
