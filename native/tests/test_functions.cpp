// Elementary functions against <cmath> in long double.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>

#include "check.hpp"

namespace condensity::tests {
namespace {

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
void test_exponential_and_logarithm(const Kernels& kernels) {
    std::mt19937_64 random(1);
    const std::string isa = kernels.isa;
    report(isa + " exp in [-1, 1]", worst_ulps(kernels.test.exponential, exact_exp, uniform(random, 200001, -1, 1)), 1.25, "ulp");
    report(isa + " exp in [-800, 720]", worst_ulps(kernels.test.exponential, exact_exp, uniform(random, 200003, -800, 720)), 1.25,
           "ulp");
    const Vector exp_edges = {0.0,  -0.0, inf,   -inf,   nan,    709.78271289338397, 709.78271289338409, 710, 1e300, -708.4,
                              -745, -746, -1e300, 1e-320, -1e-320, -745.13321910194122, -745.13321910194111, 5e-324};
    report(isa + " exp at edges", worst_ulps(kernels.test.exponential, exact_exp, exp_edges), 1.25, "ulp");

    Vector everywhere(200001);
    for (double& value : everywhere) {  // all positive finite numbers, subnormals included, by their bits
        const std::uint64_t bits = random() % 0x7ff0000000000000u;
        std::memcpy(&value, &bits, sizeof value);
    }
    report(isa + " log of all magnitudes", worst_ulps(kernels.test.logarithm, exact_log, everywhere), 1, "ulp");
    report(isa + " log in [0.6, 1.6]", worst_ulps(kernels.test.logarithm, exact_log, uniform(random, 200001, 0.6, 1.6)), 1, "ulp");
    report(isa + " log within 1e-9 of 1",
           worst_ulps(kernels.test.logarithm, exact_log, uniform(random, 9999, 1 - 1e-9, 1 + 1e-9)), 1, "ulp");
    const Vector log_edges = {0.0,     -0.0,   inf,      -inf, nan, -1.0, -5e-324, 5e-324, 2.2250738585072014e-308,
                              1e-320, 1.7976931348623157e308, 1.0, 0.70710678118654746, 0.70710678118654757, -1e300};
    report(isa + " log at edges", worst_ulps(kernels.test.logarithm, exact_log, log_edges), 1, "ulp");
}

long double exact_tail(long double a) { return 0.5L * std::erfc(a / std::sqrt(2.0L)); }
long double exact_log_tail(long double a) { return std::log(exact_tail(a)); }
long double exact_log_rest(long double x) { return std::log1p(-x); }

// The Gaussian factor e^(−a²/2) keeps its digits where multiplication and addition fuse; elsewhere it loses a²/2 ulp.
void test_normal_functions(const Kernels& kernels) {
    std::mt19937_64 random(6);
    const std::string isa = kernels.isa;
    const bool fuses = isa != "baseline";
    report(isa + " normal tail in [0, 37]", worst_ulps(kernels.test.normal_tail, exact_tail, uniform(random, 200001, 0, 37)),
           fuses ? 10 : 700, "ulp");
    report(isa + " normal tail in [0, 2]", worst_ulps(kernels.test.normal_tail, exact_tail, uniform(random, 200001, 0, 2)), 10, "ulp");
    report(isa + " log normal tail", worst_ulps(kernels.test.log_normal_tail, exact_log_tail, uniform(random, 200001, 0, 100)), 5,
           "ulp");
    report(isa + " log(1 - x)", worst_ulps(kernels.test.logarithm_of_rest, exact_log_rest, uniform(random, 200001, 0, 1)), 2, "ulp");
    const Vector turns = uniform(random, 200001, 0, 1);
    Vector sine(turns.size()), cosine(turns.size());
    kernels.test.sine_of_turns(turns.data(), sine.data(), turns.size());
    kernels.test.cosine_of_turns(turns.data(), cosine.data(), turns.size());
    double worst = 0;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        const long double angle = 6.283185307179586476925286766559L * static_cast<long double>(turns[i]);
        worst = larger_error(worst, static_cast<double>(std::fabs(static_cast<long double>(sine[i]) - std::sin(angle))));
        worst = larger_error(worst, static_cast<double>(std::fabs(static_cast<long double>(cosine[i]) - std::cos(angle))));
    }
    report(isa + " sine and cosine of turns", worst, 2.5e-16, "");
    const Vector levels = uniform(random, 200001, -1000, -0.6931471805599454);
    Vector quantiles(levels.size());
    kernels.test.tail_quantile(levels.data(), quantiles.data(), levels.size());
    worst = 0;
    for (std::size_t i = 0; i < levels.size(); ++i) {
        const long double t = exact_log_tail(static_cast<long double>(quantiles[i]));
        worst = larger_error(worst, static_cast<double>(std::fabs(t - static_cast<long double>(levels[i])) / std::fabs(t)));
    }
    report(isa + " quantile of the normal tail", worst, 1e-12, "of the log level");
}

}  // namespace

void test_functions(const Kernels& kernels) {
    test_exponential_and_logarithm(kernels);
    test_normal_functions(kernels);
}

}  // namespace condensity::tests
