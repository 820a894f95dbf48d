#include <cmath>
#include <cstddef>
#include <cstring>
#include <random>

#include "check.hpp"
#include "kmeans.hpp"

namespace condensity::tests {

// k-means: every row is at its nearest centre, every centre the mean of its rows after a step; rows of weight 0 never start one.
void test_kmeans() {
    std::mt19937_64 random(3);
    const std::size_t rows = 157, columns = 3, components = 6, candidates = 4;
    const Vector x = uniform(random, rows * columns, -1.0, 1.0), uniforms = uniform(random, components * candidates, 0.0, 1.0);
    Vector weight = uniform(random, rows, 0.5, 1.5);
    for (std::size_t i = 0; i < rows; i += 3) weight[i] = 0.0;
    Clusters clusters(x.data(), weight.data(), rows, columns);
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

}  // namespace condensity::tests
