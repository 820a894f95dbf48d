// The core without Python: elementary functions against <cmath>, the mixture kernels against plain scalar loops in long
// double and against each other, for every instruction set that this machine runs. Prints a line per group; exits 1 if any group fails.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "dispatch.hpp"
#include "kmeans.hpp"
#include "trainer.hpp"

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

long double exact_tail(long double a) { return 0.5L * std::erfc(a / std::sqrt(2.0L)); }
long double exact_log_tail(long double a) { return std::log(exact_tail(a)); }
long double exact_log_rest(long double x) { return std::log1p(-x); }

// The Gaussian factor e^(−a²/2) keeps its digits where multiplication and addition fuse; elsewhere it loses a²/2 ulp.
void test_normal_functions(const condensity::Kernels& kernels) {
    std::mt19937_64 random(6);
    const std::string isa = kernels.isa;
    const bool fuses = isa != "baseline";
    report(isa + " normal tail in [0, 37]", worst_ulps(kernels.normal_tail, exact_tail, uniform(random, 200001, 0, 37)),
           fuses ? 10 : 700, "ulp");
    report(isa + " normal tail in [0, 2]", worst_ulps(kernels.normal_tail, exact_tail, uniform(random, 200001, 0, 2)), 10, "ulp");
    report(isa + " log normal tail", worst_ulps(kernels.log_normal_tail, exact_log_tail, uniform(random, 200001, 0, 100)), 5,
           "ulp");
    report(isa + " log(1 - x)", worst_ulps(kernels.logarithm_of_rest, exact_log_rest, uniform(random, 200001, 0, 1)), 2, "ulp");
    const Vector turns = uniform(random, 200001, 0, 1);
    Vector sine(turns.size()), cosine(turns.size());
    kernels.sine_of_turns(turns.data(), sine.data(), turns.size());
    kernels.cosine_of_turns(turns.data(), cosine.data(), turns.size());
    double worst = 0;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        const long double angle = 6.283185307179586476925286766559L * static_cast<long double>(turns[i]);
        worst = larger_error(worst, static_cast<double>(std::fabs(static_cast<long double>(sine[i]) - std::sin(angle))));
        worst = larger_error(worst, static_cast<double>(std::fabs(static_cast<long double>(cosine[i]) - std::cos(angle))));
    }
    report(isa + " sine and cosine of turns", worst, 2.5e-16, "");
    const Vector levels = uniform(random, 200001, -1000, -0.6931471805599454);
    Vector quantiles(levels.size());
    kernels.tail_quantile(levels.data(), quantiles.data(), levels.size());
    worst = 0;
    for (std::size_t i = 0; i < levels.size(); ++i) {
        const long double t = exact_log_tail(static_cast<long double>(quantiles[i]));
        worst = larger_error(worst, static_cast<double>(std::fabs(t - static_cast<long double>(levels[i])) / std::fabs(t)));
    }
    report(isa + " quantile of the normal tail", worst, 1e-12, "of the log level");
}

struct Problem {
    std::size_t rows, components, points;
    Vector log_weights, means, scales, y;

    condensity::MixtureBatch batch() const {
        return {view(log_weights, components), view(means, components), view(scales, components), rows, components};
    }

    condensity::MatrixView at() const { return view(y, points); }

    static condensity::MatrixView view(const Vector& values, std::size_t columns) { return {values.data(), columns, columns}; }
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

using PointKernel = void (*)(const condensity::MixtureBatch&, const condensity::MatrixView&, double*, double*);

// The result of a kernel, with scratch of exactly the size it asks for, so that AddressSanitizer sees an overrun.
Vector run(const condensity::Kernels& kernels, PointKernel kernel, const condensity::MixtureBatch& batch,
           const condensity::MatrixView& y) {
    Vector result(batch.rows * y.columns, nan), scratch(kernels.scratch_size(batch.components), nan);
    kernel(batch, y, scratch.data(), result.data());
    return result;
}

// The largest |error| / max(1, |log p|).
double worst_error(const condensity::Kernels& kernels, const Problem& problem) {
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
    for (const PointKernel kernel :
         {kernels.mixture_logpdf, kernels.mixture_logcdf, kernels.mixture_logsf, kernels.mixture_crps})
        for (const std::size_t points : Sizes{1, 3, 67}) {
            const Problem problem = random_problem(random, 21, 30, points);
            const Vector result = run(kernels, kernel, problem.batch(), problem.at());
            for (std::size_t i = 0; i < result.size(); ++i) {
                condensity::MixtureBatch one = problem.batch();
                for (condensity::MatrixView* part : {&one.log_weights, &one.means, &one.scales})
                    part->values += i / points * problem.components;
                one.rows = 1;
                const double alone = run(kernels, kernel, one, {problem.y.data() + i, 1, 1})[0];
                different += same_bits(alone, result[i]) ? 0 : 1;
            }
        }
    report(std::string(kernels.isa) + " same bits alone and in a batch", different, 0, "values");
}

// log F(ppf(p)) = log p and log S(isf(p)) = log p, rows in lanes and levels in lanes, with the same bits.
void test_quantiles(const condensity::Kernels& kernels) {
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
        const auto solve = [&](const condensity::MixtureBatch& batch) {
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
            condensity::MixtureBatch one = problem.batch();
            for (condensity::MatrixView* part : {&one.log_weights, &one.means, &one.scales}) part->values += row * 5;
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
void test_samples(const condensity::Kernels& kernels) {
    std::mt19937_64 random(5);
    double different = 0;
    for (const std::size_t samples : Sizes{0, 1, 2, 7, 15, 16, 33}) {
        Problem problem = random_problem(random, 11, 3, 1);
        for (std::size_t i = 0; i < 11; ++i) problem.log_weights[3 * i] = problem.log_weights[3 * i + 1] = -std::log(2.0);
        for (std::size_t i = 0; i < 11; ++i) problem.log_weights[3 * i + 2] = -inf;
        Vector together(11 * samples, nan), scratch(kernels.scratch_size(3), nan);
        kernels.mixture_sample(problem.batch(), {99, 0, samples}, scratch.data(), together.data());
        for (std::size_t row = 0; row < 11; ++row) {
            condensity::MixtureBatch one = problem.batch();
            for (condensity::MatrixView* part : {&one.log_weights, &one.means, &one.scales}) part->values += row * 3;
            one.rows = 1;
            Vector alone(samples, nan);
            kernels.mixture_sample(one, {99, row, samples}, scratch.data(), alone.data());
            for (std::size_t j = 0; j < samples; ++j)
                different += same_bits(alone[j], together[row * samples + j]) && std::isfinite(alone[j]) ? 0 : 1;
        }
    }
    report(std::string(kernels.isa) + " draws row by row and together", different, 0, "values");
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
            const Vector result = run(kernels, kernels.mixture_logpdf, problem.batch(), problem.at());
            for (const double got : result) {
                const bool good = std::isnan(c.expected) ? std::isnan(got)
                                                         : got == c.expected || std::fabs(got - c.expected) < 1e-12;
                wrong += good ? 0 : 1;
            }
        }
    report(std::string(kernels.isa) + " edges", wrong, 0, "values");
}

struct Net {
    std::vector<std::size_t> hidden;
    std::size_t columns, outputs, components, rows;
    condensity::Activation activation;
    bool bounded, encoded, offset;
};

// Gradients of every instruction set against central differences of its own loss, and runs that learn.
void test_training(const condensity::Kernels& kernels) {
    using condensity::Activation;
    const std::vector<Net> nets = {
        {{}, 1, 1, 1, 5, Activation::tanh, true, false, false},      {{7}, 3, 1, 4, 131, Activation::tanh, true, true, true},
        {{5, 6}, 2, 1, 3, 64, Activation::silu, false, false, true}, {{33, 2}, 17, 1, 5, 300, Activation::silu, true, false, false},
        {{9}, 2, 3, 4, 77, Activation::silu, true, true, true},      {{4}, 1, 2, 3, 33, Activation::tanh, false, false, false},
    };
    double worst = 0, unlearned = 0, unlike = 0, misplaced = 0, unshifted = 0;
    for (const Net& net : nets) {
        std::mt19937_64 random(net.rows);
        std::normal_distribution<float> normal;
        const std::size_t d = net.columns, q = net.outputs;
        std::vector<float> x(net.rows * d), y(net.rows * q), weight(net.rows);
        for (float& value : x) value = normal(random);
        for (std::size_t i = 0; i < net.rows; ++i) {
            for (std::size_t j = 0; j < q; ++j) y[i * q + j] = std::sin(x[i * d]) + 0.3f * normal(random);
            weight[i] = 0.5f + std::fabs(normal(random));
        }
        const std::vector<std::size_t> bin_counts(d, 3);
        std::vector<condensity::Bin> bins;
        for (std::size_t j = 0; j < 3 * d; ++j) bins.push_back({static_cast<float>(j % 3) - 1.5f, 2.0f});
        const std::vector<float> lows(q, -3.0f), ranges(q, std::exp(5.0f));
        condensity::NetworkShape shape{};
        shape.columns = d;
        shape.outputs = q;
        shape.coupled = q > 1;
        if (net.encoded) {
            shape.bin_counts = bin_counts.data();
            shape.bins = bins.data();
        }
        shape.components = net.components;
        std::vector<std::size_t> widths{net.encoded ? 4 * d : d};
        widths.insert(widths.end(), net.hidden.begin(), net.hidden.end());
        widths.push_back(shape.head_width());
        shape.widths = widths.data();
        shape.layers = widths.size() - 1;
        shape.activation = net.activation;
        shape.bounded = net.bounded;
        shape.log_scale_low = lows.data();
        shape.smallest_inverse = std::exp(-2.0f);
        shape.range = ranges.data();
        std::size_t parameters = 0;
        for (std::size_t i = 0; i + 1 < widths.size(); ++i) parameters += (widths[i] + 1) * widths[i + 1];
        std::vector<float> theta(parameters);
        for (float& value : theta) value = 0.4f * normal(random);
        const condensity::LossSettings loss{0.05f, 0.05f, 20.0f};
        const std::size_t width = shape.head_width();
        std::mt19937_64 own_random(net.rows + 1000);
        std::normal_distribution<float> small(0.0f, 0.3f);
        std::vector<float> offsets(net.rows * width);
        for (float& value : offsets) value = small(own_random);
        const float* offset = net.offset ? offsets.data() : nullptr;
        const condensity::RowBatch batch{x.data(), y.data(), weight.data(), offset, nullptr, net.rows};
        std::vector<float> scratch(kernels.network_scratch_size(shape)), gradient(parameters), other(parameters);
        kernels.network_gradient(shape, theta.data(), batch, loss, scratch.data(), gradient.data());
        // Along random directions, since single differences drown in float32's rounding.
        for (int direction = 0; direction < 5; ++direction) {
            std::vector<float> there = theta, back = theta;
            double slope = 0, size = 0;
            for (std::size_t i = 0; i < parameters; ++i) {
                const float step = normal(random);
                there[i] += 0.002f * step;
                back[i] -= 0.002f * step;
                slope += static_cast<double>(gradient[i]) * static_cast<double>(there[i] - back[i]);
                size += std::pow(static_cast<double>(gradient[i]), 2);
            }
            const double up = kernels.network_gradient(shape, there.data(), batch, loss, scratch.data(), other.data());
            const double down = kernels.network_gradient(shape, back.data(), batch, loss, scratch.data(), other.data());
            worst = larger_error(worst, std::fabs(up - down - slope) / (0.004 * std::sqrt(size)));
        }
        // Rows in whatever order bring their own offsets; the same offset in all rows is a shift of the head's bias.
        std::vector<std::uint32_t> backwards(net.rows);
        for (std::uint32_t row = 0; row < net.rows; ++row) backwards[row] = static_cast<std::uint32_t>(net.rows) - 1 - row;
        std::vector<float> nll(net.rows), nll_backwards(net.rows), constant(net.rows * width), shifted = theta;
        condensity::RowBatch moved{x.data(), y.data(), weight.data(), offsets.data(), nullptr, net.rows};
        kernels.network_nll(shape, theta.data(), moved, scratch.data(), nll.data());
        moved.order = backwards.data();
        kernels.network_nll(shape, theta.data(), moved, scratch.data(), nll_backwards.data());
        for (std::size_t row = 0; row < net.rows; ++row) misplaced += nll[row] == nll_backwards[net.rows - 1 - row] ? 0 : 1;
        for (std::size_t i = 0; i < constant.size(); ++i) constant[i] = offsets[i % width];
        for (std::size_t unit = 0; unit < width; ++unit) shifted[parameters - width + unit] += offsets[unit];
        moved = {x.data(), y.data(), weight.data(), constant.data(), nullptr, net.rows};
        const double by_offset = kernels.network_gradient(shape, theta.data(), moved, loss, scratch.data(), gradient.data());
        moved.offset = nullptr;
        const double by_bias = kernels.network_gradient(shape, shifted.data(), moved, loss, scratch.data(), other.data());
        unshifted = larger_error(unshifted, std::fabs(by_offset - by_bias) / std::fmax(1.0, std::fabs(by_bias)));
        double difference = 0, size = 0;
        for (std::size_t i = 0; i < parameters; ++i) {
            difference += std::pow(static_cast<double>(gradient[i]) - static_cast<double>(other[i]), 2);
            size += std::pow(static_cast<double>(other[i]), 2);
        }
        unshifted = larger_error(unshifted, std::sqrt(difference / size));
        for (const condensity::Solver solver : {condensity::Solver::schedule_free_adamw, condensity::Solver::adamw,
                                                condensity::Solver::adam, condensity::Solver::rmsprop}) {
            const double noise = solver == condensity::Solver::adam ? 0.01 : 0.0;
            const condensity::TrainingPlan plan{solver, 0.01, 5, 200, 37, 120, 10, 1000, 0, 1e-4, 0.01, loss, 100.0, noise, noise};
            const condensity::TrainingRows rows{x.data(), y.data(), weight.data(), offset, net.rows};
            const auto make = [&](std::size_t threads) {
                std::vector<condensity::MemberStart> starts;
                for (std::uint32_t member = 0; member < 3; ++member) {
                    condensity::MemberStart start{theta.data(), {}, {}, member};
                    for (std::uint32_t row = 0; row < net.rows; ++row) (row % 3 == member ? start.held_out : start.kept).push_back(row);
                    starts.push_back(std::move(start));
                }
                return std::make_unique<condensity::Trainer>(shape, plan, rows, std::move(starts), threads);
            };
            const auto trainer = make(1), other = make(3);
            trainer->advance(0.001);
            const std::vector<std::uint8_t> state = trainer->save();  // wherever that was
            while (!trainer->advance(0.001)) {
            }
            other->restore(state.data(), state.size());
            while (!other->advance(1.0)) {
            }
            for (std::size_t member = 0; member < 3; ++member)
                for (std::size_t i = 0; i < parameters; ++i)
                    unlike += trainer->members()[member].best()[i] == other->members()[member].best()[i] ? 0 : 1;
            unlike += trainer->history().validation_nll == other->history().validation_nll ? 0 : 1;
            const std::vector<double>& curve = trainer->history().train_loss;
            unlearned += trainer->steps() == 120 && curve.size() == 12 && curve.back() < curve.front() ? 0 : 1;
        }
    }
    report(std::string(kernels.isa) + " runs go on from saved states, on any number of threads", unlike, 0, "numbers");
    report(std::string(kernels.isa) + " gradients", worst, 0.003, "of their length");
    report(std::string(kernels.isa) + " offsets of rows in any order", misplaced, 0, "rows");
    report(std::string(kernels.isa) + " offsets and shifts of the bias", unshifted, 1e-4, "of the loss or gradient");
    report(std::string(kernels.isa) + " training", unlearned, 0, "runs that did not learn");
}

// Gaussians over rows: log density, sums and conditionals against the formulas in long double; shapes that leave tails.
void test_gaussians(const condensity::Kernels& kernels) {
    std::mt19937_64 random(17);
    double worst_density = 0.0, worst_sum = 0.0, worst_conditional = 0.0;
    for (const std::size_t columns : Sizes{1, 2, 5, 8})
        for (const std::size_t rows : Sizes{1, 31, 128, 300})
            for (const bool independent : {false, true}) {
                const std::size_t components = 3, outputs = 2, moments = independent ? columns : columns * (columns + 1) / 2;
                const Vector constants = uniform(random, components, -2.0, 0.0), means = uniform(random, components * columns, -1.0, 1.0),
                             x = uniform(random, rows * columns, -2.0, 2.0), weight = uniform(random, rows, 0.1, 2.0),
                             slopes = uniform(random, components * outputs * columns, -1.0, 1.0),
                             offsets = uniform(random, components * outputs, -1.0, 1.0);
                Vector inverse = uniform(random, components * columns * (independent ? 1 : columns), 0.3, 1.5);
                const condensity::Gaussians model{columns, components, independent, constants.data(), means.data(), inverse.data()};
                Vector scratch(kernels.gaussian_scratch_size(model)), density(rows), log_weights(rows * components),
                    moved(rows * components * outputs);
                const std::size_t of_component = 1 + columns + moments;
                Vector sums(components * of_component + 1, 0.0), exact(sums);
                kernels.gaussian_log_density(model, x.data(), rows, scratch.data(), density.data());
                kernels.gaussian_sums(model, x.data(), weight.data(), rows, scratch.data(), sums.data());
                kernels.gaussian_conditional(model, slopes.data(), offsets.data(), outputs, x.data(), rows, scratch.data(),
                                             log_weights.data(), moved.data());
                for (std::size_t row = 0; row < rows; ++row) {
                    Vector terms(components), z(components * columns);
                    double total = 0.0;
                    for (std::size_t k = 0; k < components; ++k) {
                        double square = 0.0;
                        for (std::size_t i = 0; i < columns; ++i) {
                            double sum = 0.0;
                            for (std::size_t j = independent ? i : 0; j <= i; ++j) {
                                const double factor = inverse[independent ? k * columns + i : (k * columns + i) * columns + j];
                                sum += factor * (x[row * columns + j] - means[k * columns + j]);
                            }
                            z[k * columns + i] = sum;
                            square += sum * sum;
                        }
                        terms[k] = constants[k] - 0.5 * square;
                        total += std::exp(terms[k]);
                    }
                    worst_density = larger_error(worst_density, std::fabs(density[row] - std::log(total)));
                    exact[components * of_component] += weight[row] * std::log(total);
                    for (std::size_t k = 0; k < components; ++k) {
                        const double share = weight[row] * std::exp(terms[k]) / total;
                        double* target = exact.data() + k * of_component;
                        target[0] += share;
                        for (std::size_t i = 0, place = 0; i < columns; ++i) {
                            const double u = x[row * columns + i] - means[k * columns + i];
                            target[1 + i] += share * u;
                            for (std::size_t j = independent ? i : 0; j <= i; ++j, ++place)
                                target[1 + columns + place] += share * u * (x[row * columns + j] - means[k * columns + j]);
                        }
                        const double expected = terms[k] - std::log(total);
                        worst_conditional = larger_error(worst_conditional, std::fabs(log_weights[row * components + k] - expected));
                        for (std::size_t b = 0; b < outputs; ++b) {
                            double mean = offsets[k * outputs + b];
                            for (std::size_t j = 0; j < columns; ++j)
                                mean += slopes[(k * outputs + b) * columns + j] * z[k * columns + j];
                            worst_conditional =
                                larger_error(worst_conditional, std::fabs(moved[(row * components + k) * outputs + b] - mean));
                        }
                    }
                }
                for (std::size_t i = 0; i < sums.size(); ++i)
                    worst_sum = larger_error(worst_sum, std::fabs(sums[i] - exact[i]) / (1.0 + std::fabs(exact[i])));
            }
    report(std::string(kernels.isa) + " Gaussians, log density", worst_density, 1e-11, "");
    report(std::string(kernels.isa) + " Gaussians, sums", worst_sum, 1e-11, "relative");
    report(std::string(kernels.isa) + " Gaussians, conditional", worst_conditional, 1e-11, "");
}

// k-means: every row is at its nearest centre, every centre the mean of its rows after a step; rows of weight 0 never start one.
void test_kmeans() {
    std::mt19937_64 random(3);
    const std::size_t rows = 157, columns = 3, components = 6, candidates = 4;
    const Vector x = uniform(random, rows * columns, -1.0, 1.0), uniforms = uniform(random, components * candidates, 0.0, 1.0);
    Vector weight = uniform(random, rows, 0.5, 1.5);
    for (std::size_t i = 0; i < rows; i += 3) weight[i] = 0.0;
    condensity::Clusters clusters(x.data(), weight.data(), rows, columns);
    clusters.start(uniforms.data(), components, candidates);
    double wrong = 0.0;
    for (std::size_t k = 0; k < components; ++k) {
        bool found = false;
        for (std::size_t i = 0; i < rows; ++i)
            found = found || (weight[i] > 0.0 && std::memcmp(&x[i * columns], &clusters.centres()[k * columns], columns * sizeof(double)) == 0);
        wrong += found ? 0.0 : 1.0;
    }
    clusters.step();
    for (std::size_t i = 0; i < rows; ++i) {
        double least = inf, own = inf;
        for (std::size_t k = 0; k < components; ++k) {
            double distance = 0.0;
            for (std::size_t j = 0; j < columns; ++j)
                distance += std::pow(x[i * columns + j] - clusters.centres()[k * columns + j], 2.0);
            least = std::fmin(least, distance);
            if (clusters.nearest()[i] == k) own = distance;
        }
        wrong += own <= least * (1.0 + 1e-12) ? 0.0 : 1.0;
    }
    report("k-means", wrong, 0.0, "faults");
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
        test_normal_functions(kernels);
        test_mixture(kernels);
        test_position(kernels);
        test_edges(kernels);
        test_quantiles(kernels);
        test_samples(kernels);
        test_gaussians(kernels);
        test_training(kernels);
    }
    test_kmeans();
    test_dispatch();
    std::printf("%s\n", failures == 0 ? "all groups passed" : "SOME GROUPS FAILED");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
