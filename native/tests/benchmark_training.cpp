// Efficiency of one training step: fractions of the peak of fused products, and of what products, tanh, exp and
// the optimiser take at least, all measured in this run.
//
//     cmake -S . -B build-bench -DCONDENSITY_CORE_ONLY=ON -DCONDENSITY_BUILD_TESTS=ON && cmake --build build-bench
//     build-bench/condensity_training_benchmark
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "trainer.hpp"

namespace {

using condensity::Activation;

// Shortest of many times, in seconds: what the machine can do, whatever else runs on it.
template <class Work>
double shortest(Work work, int repeats = 200) {
    double best = 1e9;
    for (int i = 0; i < repeats; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

struct Case {
    const char* name;
    std::size_t columns, batch;
    std::vector<std::size_t> hidden;
    std::size_t components;
};

}  // namespace

int main() {
    const condensity::Kernels& kernels = condensity::kernels();
    std::vector<float> registers(32, 1e-3f), in(4096, 0.3f), out(4096);
    double operations = 0.0;
    const double product_time = shortest([&] { operations = kernels.benchmark.fused_products(100000, registers.data()); });
    const double peak = operations / product_time;
    const double per_tanh = shortest([&] { kernels.benchmark.tangent(in.data(), out.data(), in.size()); }, 2000) / 4096.0;
    const double per_exp = shortest([&] { kernels.benchmark.exponential(in.data(), out.data(), in.size()); }, 2000) / 4096.0;
    std::printf("%s: %.1f GF/s, %.2f ns per tanh, %.2f ns per exp\n", kernels.isa, peak * 1e-9, per_tanh * 1e9, per_exp * 1e9);
    const std::vector<Case> cases = {{"W1", 1, 128, {25, 10}, 10}, {"W2", 16, 512, {128, 128}, 8}, {"W3", 16, 4096, {64, 64}, 8}};
    for (const Case& c : cases) {
        std::mt19937_64 random(0);
        std::normal_distribution<float> normal;
        std::vector<float> x(c.batch * c.columns), y(c.batch), weight(c.batch, 1.0f);
        for (float& value : x) value = normal(random);
        for (float& value : y) value = normal(random);
        const float low = -6.9f, range = std::exp(8.9f);
        condensity::NetworkShape shape{};
        shape.columns = c.columns;
        shape.outputs = 1;
        shape.components = c.components;
        shape.activation = Activation::tanh;
        shape.bounded = true;
        shape.log_scale_low = &low;
        shape.range = &range;
        shape.smallest_inverse = std::exp(-2.0f);
        std::vector<std::size_t> widths{c.columns};
        widths.insert(widths.end(), c.hidden.begin(), c.hidden.end());
        widths.push_back(shape.head_width());
        shape.widths = widths.data();
        shape.layers = widths.size() - 1;
        std::size_t parameters = 0, hidden_units = 0;
        double products = 0.0;
        for (std::size_t i = 0; i < shape.layers; ++i) {
            parameters += (widths[i] + 1) * widths[i + 1];
            const double passes = i == 0 ? 2.0 : 3.0;  // forward, weights' gradient, and but for the first layer inputs' gradient
            products += 2.0 * passes * static_cast<double>(c.batch * widths[i] * widths[i + 1]);
        }
        for (const std::size_t width : c.hidden) hidden_units += width;
        const std::size_t padded = (parameters + 15) / 16 * 16;
        std::vector<float> theta(padded), model(padded), first(padded), second(padded, 1.0f), gradient(padded), mask(padded, 1.0f);
        for (float& value : theta) value = 0.1f * normal(random);
        std::vector<float> scratch(kernels.network_scratch_size(shape));
        const condensity::RowBatch batch{x.data(), y.data(), weight.data(), nullptr, nullptr, c.batch};
        const condensity::Penalty penalty{0.05f, 0.05f, 20.0f};
        condensity::OptimizerStep step{};
        step.length = parameters;
        step.model = model.data();
        step.query = theta.data();
        step.moments[0] = first.data();
        step.moments[1] = second.data();
        step.gradient = gradient.data();
        step.decay_mask = mask.data();
        step.rate = 1e-9f;
        step.beta1 = 0.9f;
        step.beta2 = 0.999f;
        step.correction1 = step.correction2 = step.gradient_scale = 1.0f;
        step.share = 0.5f;
        const condensity::Solver& solver = condensity::find_solver(kernels, "schedule_free_adamw");
        const double optimizer = shortest([&] { solver.step(step); }, 1000);
        const double whole = shortest([&] {
            kernels.network_gradient(shape, theta.data(), batch, penalty, scratch.data(), gradient.data());
            solver.step(step);
        }, c.batch > 1000 ? 300 : 2000);
        const double rows = static_cast<double>(c.batch);
        const double limit = products / peak + rows * static_cast<double>(hidden_units) * per_tanh +
                             3.0 * rows * static_cast<double>(c.components) * per_exp + optimizer;
        std::printf("%s: %7.1f us a step, %.0f %% of the peak, %.0f %% of the composite limit (optimiser %.1f us)\n", c.name, whole * 1e6,
                    100.0 * products / peak / whole, 100.0 * limit / whole, optimizer * 1e6);
    }
    return 0;
}
