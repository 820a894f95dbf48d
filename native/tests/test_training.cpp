// Training: gradients against central differences of their own loss, offsets of rows, and runs that learn, stop and resume.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"
#include "trainer.hpp"

namespace condensity::tests {
namespace {

using Floats = std::vector<float>;

const Penalty penalty{0.05f, 0.05f, 20.0f};

struct Net {
    std::vector<std::size_t> hidden;
    std::size_t columns, outputs, components, rows;
    Activation activation;
    bool bounded, encoded, offset;
};

const Net nets[] = {
    {{}, 1, 1, 1, 5, Activation::tanh, true, false, false},      {{7}, 3, 1, 4, 131, Activation::tanh, true, true, true},
    {{5, 6}, 2, 1, 3, 64, Activation::silu, false, false, true}, {{33, 2}, 17, 1, 5, 300, Activation::silu, true, false, false},
    {{9}, 2, 3, 4, 77, Activation::silu, true, true, true},      {{4}, 1, 2, 3, 33, Activation::tanh, false, false, false},
};

// A network with random parameters, and random rows to train it on.
struct Problem {
    explicit Problem(const Net& net) : random(net.rows), rows(net.rows), uses_offset(net.offset) {
        draw_rows(net);
        describe(net);
        theta.resize(n_parameters());
        for (float& value : theta) value = 0.4f * normal(random);
        std::mt19937_64 own_random(net.rows + 1000);
        std::normal_distribution<float> small(0.0f, 0.3f);
        offsets.resize(rows * shape.head_width());
        for (float& value : offsets) value = small(own_random);
    }

    Problem(const Problem&) = delete;
    Problem& operator=(const Problem&) = delete;

    const float* offset() const { return uses_offset ? offsets.data() : nullptr; }
    RowBatch batch(const float* offset, const std::uint32_t* order = nullptr) const {
        return {x.data(), y.data(), weight.data(), offset, order, rows};
    }

    std::size_t n_parameters() const {
        std::size_t sum = 0;
        for (std::size_t i = 0; i + 1 < widths.size(); ++i) sum += (widths[i] + 1) * widths[i + 1];
        return sum;
    }

    std::mt19937_64 random;
    std::normal_distribution<float> normal;
    std::size_t rows;
    bool uses_offset;
    NetworkShape shape{};
    Floats x, y, weight, theta, offsets;

private:
    void draw_rows(const Net& net) {
        const std::size_t d = net.columns, q = net.outputs;
        x.resize(rows * d), y.resize(rows * q), weight.resize(rows);
        for (float& value : x) value = normal(random);
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < q; ++j) y[i * q + j] = std::sin(x[i * d]) + 0.3f * normal(random);
            weight[i] = 0.5f + std::fabs(normal(random));
        }
    }

    void describe(const Net& net) {
        const std::size_t d = net.columns, q = net.outputs;
        bin_counts.assign(d, 3);
        for (std::size_t j = 0; j < 3 * d; ++j) bins.push_back({static_cast<float>(j % 3) - 1.5f, 2.0f});
        lows.assign(q, -3.0f), ranges.assign(q, std::exp(5.0f));
        shape.columns = d;
        shape.outputs = q;
        shape.coupled = q > 1;
        if (net.encoded) {
            shape.bin_counts = bin_counts.data();
            shape.bins = bins.data();
        }
        shape.components = net.components;
        widths = {net.encoded ? 4 * d : d};
        widths.insert(widths.end(), net.hidden.begin(), net.hidden.end());
        widths.push_back(shape.head_width());
        shape.widths = widths.data();
        shape.layers = widths.size() - 1;
        shape.activation = net.activation;
        shape.bounded = net.bounded;
        shape.log_scale_low = lows.data();
        shape.smallest_inverse = std::exp(-2.0f);
        shape.range = ranges.data();
    }

    std::vector<std::size_t> widths, bin_counts;
    std::vector<Bin> bins;
    Floats lows, ranges;
};

double gradient(const Kernels& kernels, const Problem& problem, const Floats& theta, const RowBatch& batch, Floats& result) {
    Floats scratch(kernels.network_scratch_size(problem.shape));
    result.resize(theta.size());
    return kernels.network_gradient(problem.shape, theta.data(), batch, penalty, scratch.data(), result.data());
}

Floats negative_log_density(const Kernels& kernels, const Problem& problem, const RowBatch& batch) {
    Floats scratch(kernels.network_scratch_size(problem.shape)), nll(problem.rows);
    kernels.network_nll(problem.shape, problem.theta.data(), batch, scratch.data(), nll.data());
    return nll;
}

// Along random directions, since single differences drown in float32's rounding; the error in lengths of the gradient.
double gradient_error(const Kernels& kernels, Problem& problem) {
    const RowBatch batch = problem.batch(problem.offset());
    Floats exact, unused;
    gradient(kernels, problem, problem.theta, batch, exact);
    double worst = 0;
    for (int direction = 0; direction < 5; ++direction) {
        Floats there = problem.theta, back = problem.theta;
        double slope = 0, size = 0;
        for (std::size_t i = 0; i < there.size(); ++i) {
            const float step = problem.normal(problem.random);
            there[i] += 0.002f * step;
            back[i] -= 0.002f * step;
            slope += static_cast<double>(exact[i]) * static_cast<double>(there[i] - back[i]);
            size += std::pow(static_cast<double>(exact[i]), 2);
        }
        const double up = gradient(kernels, problem, there, batch, unused), down = gradient(kernels, problem, back, batch, unused);
        worst = larger_error(worst, std::fabs(up - down - slope) / (0.004 * std::sqrt(size)));
    }
    return worst;
}

// Rows that do not keep their own offsets when the batch lists them backwards.
double misplaced_offsets(const Kernels& kernels, const Problem& problem) {
    std::vector<std::uint32_t> backwards(problem.rows);
    for (std::uint32_t row = 0; row < problem.rows; ++row) backwards[row] = static_cast<std::uint32_t>(problem.rows) - 1 - row;
    const Floats nll = negative_log_density(kernels, problem, problem.batch(problem.offsets.data()));
    const Floats reversed = negative_log_density(kernels, problem, problem.batch(problem.offsets.data(), backwards.data()));
    double misplaced = 0;
    for (std::size_t row = 0; row < problem.rows; ++row) misplaced += nll[row] == reversed[problem.rows - 1 - row] ? 0 : 1;
    return misplaced;
}

// The same offset in all rows is a shift of the head's bias: the difference in loss and gradient.
double offset_error(const Kernels& kernels, const Problem& problem) {
    const std::size_t width = problem.shape.head_width();
    Floats constant(problem.rows * width), shifted = problem.theta, by_offset, by_bias;
    for (std::size_t i = 0; i < constant.size(); ++i) constant[i] = problem.offsets[i % width];
    for (std::size_t unit = 0; unit < width; ++unit) shifted[shifted.size() - width + unit] += problem.offsets[unit];
    const double offset_loss = gradient(kernels, problem, problem.theta, problem.batch(constant.data()), by_offset);
    const double bias_loss = gradient(kernels, problem, shifted, problem.batch(nullptr), by_bias);
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < by_bias.size(); ++i) {
        difference += std::pow(static_cast<double>(by_offset[i]) - static_cast<double>(by_bias[i]), 2);
        size += std::pow(static_cast<double>(by_bias[i]), 2);
    }
    return larger_error(std::fabs(offset_loss - bias_loss) / std::fmax(1.0, std::fabs(bias_loss)), std::sqrt(difference / size));
}

// Three members that each hold out every third row.
std::unique_ptr<Trainer> make_trainer(const Problem& problem, const TrainingPlan& plan, std::size_t threads) {
    std::vector<MemberStart> starts;
    for (std::uint32_t member = 0; member < 3; ++member) {
        MemberStart start{problem.theta.data(), {}, {}, member};
        for (std::uint32_t row = 0; row < problem.rows; ++row) (row % 3 == member ? start.held_out : start.kept).push_back(row);
        starts.push_back(std::move(start));
    }
    const TrainingRows rows{problem.x.data(), problem.y.data(), problem.weight.data(), problem.offset(), problem.rows};
    return std::make_unique<Trainer>(problem.shape, plan, rows, std::move(starts), threads);
}

double differing_numbers(const Trainer& trainer, const Trainer& other, std::size_t n_parameters) {
    double different = trainer.history().validation_nll == other.history().validation_nll ? 0 : 1;
    for (std::size_t member = 0; member < 3; ++member)
        for (std::size_t i = 0; i < n_parameters; ++i)
            different += trainer.members()[member].best()[i] == other.members()[member].best()[i] ? 0 : 1;
    return different;
}

struct RunFaults {
    double unlike, unlearned;
};

// A run in slices, and one on three threads that resumes from its saved state, wherever that was.
RunFaults run_faults(const Problem& problem, const std::string& solver) {
    const double noise = solver == "adam" ? 0.01 : 0.0;
    const TrainingPlan plan{solver, 0.01, 5, 200, 37, 120, 10, 1000, 0, 1e-4, 0.01, penalty, 100.0, noise, noise};
    const auto trainer = make_trainer(problem, plan, 1), resumed = make_trainer(problem, plan, 3);
    trainer->advance(0.001);
    const std::vector<std::uint8_t> state = trainer->save();
    while (!trainer->advance(0.001)) {
    }
    resumed->restore(state.data(), state.size());
    while (!resumed->advance(1.0)) {
    }
    const std::vector<double>& curve = trainer->history().train_loss;
    const bool learned = trainer->steps() == 120 && curve.size() == 12 && curve.back() < curve.front();
    return {differing_numbers(*trainer, *resumed, problem.n_parameters()), learned ? 0.0 : 1.0};
}

}  // namespace

void test_training(const Kernels& kernels) {
    double gradients = 0, misplaced = 0, offsets = 0, unlike = 0, unlearned = 0;
    for (const Net& net : nets) {
        Problem problem(net);
        gradients = larger_error(gradients, gradient_error(kernels, problem));
        misplaced += misplaced_offsets(kernels, problem);
        offsets = larger_error(offsets, offset_error(kernels, problem));
        for (std::size_t i = 0; i < kernels.n_solvers; ++i) {
            const RunFaults faults = run_faults(problem, kernels.solvers[i].name);
            unlike += faults.unlike;
            unlearned += faults.unlearned;
        }
    }
    const std::string isa = kernels.isa;
    report(isa + " runs resume from saved states, on any number of threads", unlike, 0, "numbers");
    report(isa + " gradients", gradients, 0.003, "of their length");
    report(isa + " offsets of rows in any order", misplaced, 0, "rows");
    report(isa + " offsets and shifts of the bias", offsets, 1e-4, "of the loss or gradient");
    report(isa + " training", unlearned, 0, "runs that did not learn");
}

}  // namespace condensity::tests
