// Training for Python: arrays checked at the border; the loop comes back between slices, so that Python sees signals.
#include "bindings_training.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trainer.hpp"

namespace nb = nanobind;

namespace condensity {
namespace {

using Vector = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Doubles = nb::ndarray<nb::numpy, double, nb::ndim<1>>;

void require(bool good, const std::string& text) {
    if (!good) throw nb::value_error(text.c_str());
}

template <class Value>
Value one_of(const std::string& name, const std::vector<std::pair<const char*, Value>>& known, const char* what) {
    for (const auto& [key, value] : known)
        if (name == key) return value;
    throw nb::value_error((std::string(what) + " '" + name + "' is unknown.").c_str());
}

// A network as Python describes it, with the widths that its shape points to.
struct Described {
    Described(std::vector<size_t> all_widths, size_t components, const std::string& activation,
              const std::optional<std::pair<double, double>>& bounds)
        : widths(std::move(all_widths)) {
        require(widths.size() >= 2 && std::all_of(widths.begin(), widths.end(), [](size_t w) { return w > 0; }),
                "widths must be inputs, hidden layers and outputs, all > 0.");
        require(components > 0 && widths.back() == 3 * components, "the last width must be 3K, K the number of components.");
        shape.widths = widths.data();
        shape.layers = widths.size() - 1;
        shape.components = components;
        shape.activation = one_of<Activation>(
            activation, {{"tanh", Activation::tanh}, {"silu", Activation::silu}, {"relu", Activation::relu}}, "activation");
        shape.bounded = bounds.has_value();
        if (!bounds) return;
        shape.log_scale_low = static_cast<float>(bounds->first);
        shape.smallest_inverse = static_cast<float>(std::exp(-bounds->second));
        shape.range = static_cast<float>(std::exp(std::min(bounds->second - bounds->first, 88.0)));
    }

    size_t parameters() const {
        size_t sum = 0;
        for (size_t i = 0; i + 1 < widths.size(); ++i) sum += (widths[i] + 1) * widths[i + 1];
        return sum;
    }

    void require_theta(const Vector& theta) const {
        require(theta.shape(0) == parameters(), "theta must have " + std::to_string(parameters()) + " numbers; got " +
                                                    std::to_string(theta.shape(0)) + ".");
    }

    TrainingRows rows(const Table& x, const Vector& y, const Vector& weight) const {
        require(x.shape(1) == widths.front() && y.shape(0) == x.shape(0) && weight.shape(0) == x.shape(0),
                "x must have shape (n, " + std::to_string(widths.front()) + "), y and weight (n,).");
        return {x.data(), y.data(), weight.data(), x.shape(0)};
    }

    std::vector<size_t> widths;
    NetworkShape shape{};
};

template <class Number>
Doubles to_array(const std::vector<Number>& values) {
    double* copy = new double[values.size()];
    std::copy(values.begin(), values.end(), copy);
    nb::capsule owner(copy, [](void* memory) noexcept { delete[] static_cast<double*>(memory); });
    return Doubles(copy, {values.size()}, owner);
}

using Bounds = std::optional<std::pair<double, double>>;

std::pair<double, Doubles> loss_and_gradient(std::vector<size_t> widths, size_t components, const std::string& activation,
                                             const Bounds& bounds, const Vector& theta, const Table& x, const Vector& y,
                                             const Vector& weight, double hinge, double lognormal, double ceiling) {
    const Described network(std::move(widths), components, activation, bounds);
    network.require_theta(theta);
    const TrainingRows rows = network.rows(x, y, weight);
    std::vector<float> scratch(kernels().network_scratch_size(network.shape)), gradient(network.parameters());
    const LossSettings settings{static_cast<float>(hinge), static_cast<float>(lognormal), static_cast<float>(ceiling)};
    const double loss = kernels().network_gradient(network.shape, theta.data(), {rows.x, rows.y, rows.weight, nullptr, rows.count},
                                                   settings, scratch.data(), gradient.data());
    return {loss, to_array(gradient)};
}

Doubles negative_log_density(std::vector<size_t> widths, size_t components, const std::string& activation, const Bounds& bounds,
                             const Vector& theta, const Table& x, const Vector& y) {
    const Described network(std::move(widths), components, activation, bounds);
    network.require_theta(theta);
    const std::vector<float> weight(y.shape(0), 1.0f);
    require(x.shape(1) == network.widths.front() && y.shape(0) == x.shape(0), "x must have shape (n, d) and y (n,).");
    std::vector<float> scratch(kernels().network_scratch_size(network.shape)), nll(y.shape(0));
    kernels().network_nll(network.shape, theta.data(), {x.data(), y.data(), weight.data(), nullptr, y.shape(0)}, scratch.data(),
                          nll.data());
    return to_array(nll);
}

// A run that Python drives, slice by slice. Keeps the caller's arrays alive.
class Run {
public:
    Run(std::vector<size_t> widths, size_t components, const std::string& activation, const Bounds& bounds, const Vector& theta, Table x,
        Vector y, Vector weight, Table held_out_x, Vector held_out_y, Vector held_out_weight, const std::string& solver,
        double learning_rate, size_t warm_up, size_t batch_size, size_t max_steps, size_t check_every, size_t patience,
        double tolerance, double weight_decay, double hinge, double lognormal, double ceiling, double max_gradient_norm, uint64_t seed)
        : network_(std::move(widths), components, activation, bounds), tables_{std::move(x), std::move(held_out_x)},
          vectors_{std::move(y), std::move(weight), std::move(held_out_y), std::move(held_out_weight)} {
        network_.require_theta(theta);
        const TrainingRows rows = network_.rows(tables_[0], vectors_[0], vectors_[1]);
        const TrainingRows held_out = network_.rows(tables_[1], vectors_[2], vectors_[3]);
        require(rows.count > 0 && rows.count < (size_t{1} << 32), "there must be between 1 and 2^32 rows.");
        require(batch_size > 0 && check_every > 0 && patience > 0, "batch_size, check_every and patience must be > 0.");
        const TrainingPlan plan{
            one_of<Solver>(solver,
                           {{"schedule_free_adamw", Solver::schedule_free_adamw}, {"adam", Solver::adam}, {"rmsprop", Solver::rmsprop}},
                           "solver"),
            learning_rate, warm_up, batch_size, max_steps, check_every, patience, tolerance, weight_decay,
            {static_cast<float>(hinge), static_cast<float>(lognormal), static_cast<float>(ceiling)}, max_gradient_norm, seed};
        trainer_.emplace(network_.widths, network_.shape, plan, theta.data(), rows, held_out);
    }

    bool advance(double seconds) {
        nb::gil_scoped_release without_gil;
        return trainer_->advance(seconds);
    }

    std::string status() const {
        const char* names[] = {"running", "patience", "max_steps", "diverged"};
        return names[static_cast<size_t>(trainer_->status())];
    }

    const Trainer& trainer() const { return *trainer_; }

private:
    Described network_;
    Table tables_[2];
    Vector vectors_[4];
    std::optional<Trainer> trainer_;
};

}  // namespace

void define_training(nb::module_& module) {
    nb::class_<Run>(module, "TrainingRun", "A run of the training loop; see condensity.kernels.native.train.")
        .def(nb::init<std::vector<size_t>, size_t, const std::string&, const Bounds&, const Vector&, Table, Vector, Vector, Table, Vector,
                      Vector, const std::string&, double, size_t, size_t, size_t, size_t, size_t, double, double, double, double, double,
                      double, uint64_t>())
        .def("advance", &Run::advance, "Train for about so many seconds, without the GIL; whether the run has ended.")
        .def_prop_ro("status", &Run::status)
        .def_prop_ro("theta", [](const Run& run) { return to_array(run.trainer().best()); }, nb::rv_policy::move)
        .def_prop_ro("n_steps", [](const Run& run) { return run.trainer().steps(); })
        .def_prop_ro("best_step", [](const Run& run) { return run.trainer().best_step(); })
        .def_prop_ro("n_clipped", [](const Run& run) { return run.trainer().clipped(); })
        .def_prop_ro("step", [](const Run& run) { return to_array(run.trainer().history().step); }, nb::rv_policy::move)
        .def_prop_ro("train_loss", [](const Run& run) { return to_array(run.trainer().history().train_loss); }, nb::rv_policy::move)
        .def_prop_ro("validation_nll", [](const Run& run) { return to_array(run.trainer().history().validation_nll); }, nb::rv_policy::move);
    module.def("loss_and_gradient", &loss_and_gradient, "Mean penalised loss of a batch and its gradient, in float32.");
    module.def("negative_log_density", &negative_log_density, "-log p(y | x) of every row, in float32.");
}

}  // namespace condensity
