#include <cmath>
#include <cstddef>
#include <random>
#include <string>

#include "check.hpp"

namespace condensity::tests {

// Gaussians over rows: log density, sums and conditionals against the formulas in long double; shapes that leave tails.
void test_gaussians(const Kernels& kernels) {
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
                const Gaussians model{columns, components, independent, constants.data(), means.data(), inverse.data()};
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

}  // namespace condensity::tests
