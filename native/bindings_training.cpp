// Training for Python: arrays checked at the border; the loop comes back between slices, so that Python handles signals.
#include "bindings_training.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <memory>
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
using MaybeTable = std::optional<Table>;
using Index = nb::ndarray<const uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Doubles = nb::ndarray<nb::numpy, double, nb::ndim<1>>;

void require(bool good, const std::string& text) {
    if (!good) throw nb::value_error(text.c_str());
}

Activation find_activation(const std::string& name) {
    if (name == "tanh") return Activation::tanh;
    if (name == "silu") return Activation::silu;
    if (name == "relu") return Activation::relu;
    throw nb::value_error(("activation '" + name + "' is unknown.").c_str());
}

using Bounds = std::optional<std::pair<std::vector<double>, double>>;          // of log σ: low of every output, high
using Edges = std::optional<std::vector<std::vector<double>>>;                   // of every column's bins

// A network as Python describes it, with the arrays that its shape points to.
struct Described {
    Described(std::size_t columns, std::vector<size_t> hidden, std::size_t components, std::size_t outputs, bool coupled,
              const std::string& activation, const Bounds& bounds, const Edges& edges) {
        require(columns > 0 && components > 0 && outputs > 0 && outputs <= 1000,
                "columns, components and outputs must be > 0, and outputs <= 1000.");
        require(std::all_of(hidden.begin(), hidden.end(), [](size_t w) { return w > 0; }), "hidden layers must be > 0 wide.");
        shape.columns = columns;
        shape.components = components;
        shape.outputs = outputs;
        shape.coupled = coupled && outputs > 1;
        shape.activation = find_activation(activation);
        if (edges) encode(*edges);
        widths.push_back(columns + bins.size());
        widths.insert(widths.end(), hidden.begin(), hidden.end());
        widths.push_back(shape.head_width());
        shape.widths = widths.data();
        shape.layers = widths.size() - 1;
        if (bounds) bound(*bounds);
    }

    Described(const Described&) = delete;
    Described& operator=(const Described&) = delete;

    size_t n_parameters() const {
        size_t sum = 0;
        for (size_t i = 0; i + 1 < widths.size(); ++i) sum += (widths[i] + 1) * widths[i + 1];
        return sum;
    }

    void require_parameters(size_t length) const {
        require(length == n_parameters(),
                "parameters must have " + std::to_string(n_parameters()) + " numbers; got " + std::to_string(length) + ".");
    }

    TrainingRows rows(const Table& x, const Table& y, const Vector& weight, const MaybeTable& offset) const {
        require(x.shape(1) == shape.columns && y.shape(1) == shape.outputs && y.shape(0) == x.shape(0) && weight.shape(0) == x.shape(0),
                "x must have shape (n, " + std::to_string(shape.columns) + "), y (n, " + std::to_string(shape.outputs) +
                    ") and weight (n,).");
        require(x.shape(0) > 0 && x.shape(0) < (size_t{1} << 32), "there must be between 1 and 2^32 rows.");
        if (offset)
            require(offset->shape(0) == x.shape(0) && offset->shape(1) == shape.head_width(),
                    "offset must have shape (n, " + std::to_string(shape.head_width()) + ") for n = " + std::to_string(x.shape(0)) +
                        " rows; got (" + std::to_string(offset->shape(0)) + ", " + std::to_string(offset->shape(1)) + ").");
        return {x.data(), y.data(), weight.data(), offset ? offset->data() : nullptr, x.shape(0)};
    }

    NetworkShape shape{};

private:
    void encode(const std::vector<std::vector<double>>& edges) {
        require(edges.size() == shape.columns, "edges must be given for every column.");
        for (const std::vector<double>& of_column : edges) {
            bin_counts.push_back(of_column.empty() ? 0 : of_column.size() - 1);
            for (size_t i = 0; i + 1 < of_column.size(); ++i) {
                require(of_column[i] < of_column[i + 1], "edges must increase.");
                bins.push_back({static_cast<float>(of_column[i]), static_cast<float>(2.0 / (of_column[i + 1] - of_column[i]))});
            }
        }
        shape.bin_counts = bin_counts.data();
        shape.bins = bins.data();
    }

    void bound(const std::pair<std::vector<double>, double>& bounds) {
        require(bounds.first.size() == shape.outputs, "the lower bound of log sigma must be given for every output.");
        for (const double low : bounds.first) {
            lows.push_back(static_cast<float>(low));
            ranges.push_back(static_cast<float>(std::exp(std::min(bounds.second - low, 88.0))));
        }
        shape.bounded = true;
        shape.log_scale_low = lows.data();
        shape.range = ranges.data();
        shape.smallest_inverse = static_cast<float>(std::exp(-bounds.second));
    }

    std::vector<size_t> widths, bin_counts;
    std::vector<Bin> bins;
    std::vector<float> lows, ranges;
};

using Network = std::shared_ptr<Described>;

template <class Number>
Doubles to_array(const Number* values, size_t count) {
    double* copy = new double[count];
    std::copy(values, values + count, copy);
    nb::capsule owner(copy, [](void* memory) noexcept { delete[] static_cast<double*>(memory); });
    return Doubles(copy, {count}, owner);
}

template <class Number>
Doubles to_array(const std::vector<Number>& values) {
    return to_array(values.data(), values.size());
}

RowBatch all_of(const TrainingRows& rows) { return {rows.x, rows.y, rows.weight, rows.offset, nullptr, rows.count}; }

std::pair<double, Doubles> loss_and_gradient(const Network& network, const Vector& parameters, const Table& x, const Table& y,
                                             const Vector& weight, const MaybeTable& offset, const Penalty& penalty) {
    network->require_parameters(parameters.shape(0));
    const TrainingRows rows = network->rows(x, y, weight, offset);
    std::vector<float> scratch(kernels().network_scratch_size(network->shape)), gradient(network->n_parameters());
    const double loss =
        kernels().network_gradient(network->shape, parameters.data(), all_of(rows), penalty, scratch.data(), gradient.data());
    return {loss, to_array(gradient)};
}

Doubles negative_log_density(const Network& network, const Vector& parameters, const Table& x, const Table& y, const Vector& weight,
                             const MaybeTable& offset) {
    network->require_parameters(parameters.shape(0));
    const TrainingRows rows = network->rows(x, y, weight, offset);
    std::vector<float> scratch(kernels().network_scratch_size(network->shape)), nll(rows.count);
    kernels().network_nll(network->shape, parameters.data(), all_of(rows), scratch.data(), nll.data());
    return to_array(nll);
}

// A run that Python drives, slice by slice. Keeps the caller's arrays alive.
class Run {
public:
    Run(Network network, const TrainingPlan& plan, const Table& parameters, Table x, Table y, Vector weight, MaybeTable offset,
        const std::vector<Index>& kept, const std::vector<Index>& held_out, const std::vector<uint64_t>& seeds, size_t threads)
        : network_(std::move(network)), x_(std::move(x)), y_(std::move(y)), weight_(std::move(weight)), offset_(std::move(offset)) {
        network_->require_parameters(parameters.shape(1));
        const TrainingRows rows = network_->rows(x_, y_, weight_, offset_);
        const size_t members = parameters.shape(0);
        require(members > 0 && kept.size() == members && held_out.size() == members && seeds.size() == members,
                "there must be as many kept and held-out rows, and seeds, as members.");
        require(plan.batch_size > 0 && plan.check_every > 0 && plan.patience > 0 && threads > 0,
                "batch_size, check_every, patience and threads must be > 0.");
        std::vector<MemberStart> starts;
        for (size_t i = 0; i < members; ++i) {
            starts.push_back({parameters.data() + i * parameters.shape(1), rows_of(kept[i], rows.count), rows_of(held_out[i], rows.count),
                              seeds[i]});
            require(!starts.back().kept.empty(), "every member must keep at least one row.");
        }
        trainer_.emplace(network_->shape, plan, rows, std::move(starts), threads);
    }

    bool advance(double seconds) {
        nb::gil_scoped_release without_gil;
        return trainer_->advance(seconds);
    }

    std::string status() const {
        const char* names[] = {"running", "patience", "max_steps", "diverged"};
        return names[static_cast<size_t>(trainer_->status())];
    }

    nb::bytes save() {
        const std::vector<uint8_t> state = trainer_->save();
        return nb::bytes(state.data(), state.size());
    }

    void restore(const nb::bytes& state) { trainer_->restore(static_cast<const uint8_t*>(state.data()), state.size()); }
    void load_optimizer_state(const nb::bytes& state) {
        trainer_->load_optimizer_state(static_cast<const uint8_t*>(state.data()), state.size());
    }

    Doubles parameters(size_t member) const {
        require(member < trainer_->members().size(), "there is no such member.");
        return to_array(trainer_->members()[member].best(), network_->n_parameters());
    }

    const Trainer& trainer() const { return *trainer_; }

private:
    static RowList rows_of(const Index& index, size_t count) {
        RowList rows(index.shape(0));
        for (size_t i = 0; i < rows.size(); ++i) {
            require(index.data()[i] < count, "row indices must be below the number of rows.");
            rows[i] = index.data()[i];
        }
        return rows;
    }

    Network network_;
    Table x_, y_;
    Vector weight_;
    MaybeTable offset_;
    std::optional<Trainer> trainer_;
};

std::vector<std::string> solver_names() {
    const Kernels& chosen = kernels();
    std::vector<std::string> names;
    for (size_t i = 0; i < chosen.n_solvers; ++i) names.emplace_back(chosen.solvers[i].name);
    return names;
}

void define_settings(nb::module_& module) {
    nb::class_<Penalty>(module, "Penalty", "As condensity.engines' Penalty.")
        .def(nb::init<float, float, float>(), nb::kw_only(), nb::arg("hinge"), nb::arg("lognormal"), nb::arg("loss_cap"));
    nb::class_<TrainingPlan>(module, "TrainingPlan", "As condensity.engines' TrainingPlan.")
        .def(nb::init<std::string, double, size_t, size_t, size_t, size_t, size_t, size_t, size_t, double, double, Penalty, double,
                      double, double>(),
             nb::kw_only(), nb::arg("solver"), nb::arg("learning_rate"), nb::arg("warm_up"), nb::arg("horizon"),
             nb::arg("batch_size"), nb::arg("max_steps"), nb::arg("check_every"), nb::arg("patience"), nb::arg("min_steps"),
             nb::arg("tolerance"), nb::arg("weight_decay"), nb::arg("penalty"), nb::arg("max_gradient_norm"),
             nb::arg("input_noise"), nb::arg("target_noise"));
    module.def("solvers", &solver_names, "Names of the solvers.");
}

}  // namespace

void define_training(nb::module_& module) {
    define_settings(module);
    nb::class_<Described>(module, "Network", "The shape of a network.")
        .def(nb::new_([](size_t columns, std::vector<size_t> hidden, size_t components, size_t outputs, bool coupled,
                         const std::string& activation, const Bounds& bounds, const Edges& edges) {
            return std::make_shared<Described>(columns, std::move(hidden), components, outputs, coupled, activation, bounds, edges);
        }), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none())
        .def_prop_ro("n_parameters", &Described::n_parameters);
    nb::class_<Run>(module, "TrainingRun", "A run of the training loop; see condensity.engines.native.Run.")
        .def(nb::init<Network, const TrainingPlan&, const Table&, Table, Table, Vector, MaybeTable, const std::vector<Index>&,
                      const std::vector<Index>&, const std::vector<uint64_t>&, size_t>(),
             nb::arg("network"), nb::arg("plan"), nb::arg("parameters"), nb::arg("x"), nb::arg("y"), nb::arg("weight"),
             nb::arg("offset").none(), nb::arg("kept"), nb::arg("held_out"), nb::arg("seeds"), nb::arg("threads"))
        .def("advance", &Run::advance, "Train for about this many seconds, without the GIL; whether the run has ended.")
        .def("save", &Run::save, "The state of the run, as bytes.")
        .def("restore", &Run::restore, "Resume from saved bytes of the same run.")
        .def("load_optimizer_state", &Run::load_optimizer_state, "Take only the solvers from saved bytes of another run of the same network.")
        .def("parameters", &Run::parameters, "The best parameters of a member.")
        .def_prop_ro("status", &Run::status)
        .def_prop_ro("n_steps", [](const Run& run) { return run.trainer().steps(); })
        .def_prop_ro("last_check", [](const Run& run) { return run.trainer().last_check(); })
        .def_prop_ro("best_step", [](const Run& run) { return run.trainer().best_step(); })
        .def_prop_ro("n_clipped", [](const Run& run) { return run.trainer().clipped(); })
        .def_prop_ro("held_out", [](const Run& run) { return to_array(run.trainer().held_out()); }, nb::rv_policy::move)
        .def_prop_ro("held_out_log_density", [](const Run& run) { return to_array(run.trainer().held_out_log_density()); },
                     nb::rv_policy::move)
        .def_prop_ro("step", [](const Run& run) { return to_array(run.trainer().history().step); }, nb::rv_policy::move)
        .def_prop_ro("train_loss", [](const Run& run) { return to_array(run.trainer().history().train_loss); }, nb::rv_policy::move)
        .def_prop_ro("validation_nll", [](const Run& run) { return to_array(run.trainer().history().validation_nll); }, nb::rv_policy::move);
    module.def("loss_and_gradient", &loss_and_gradient, nb::arg("network"), nb::arg("parameters"), nb::arg("x"), nb::arg("y"),
               nb::arg("weight"), nb::arg("offset").none(), nb::arg("penalty"),
               "Mean penalised loss of a batch and its gradient, in float32.");
    module.def("negative_log_density", &negative_log_density, nb::arg("network"), nb::arg("parameters"), nb::arg("x"), nb::arg("y"),
               nb::arg("weight"), nb::arg("offset").none(), "-log p(y | x) of every row, in float32.");
}

}  // namespace condensity
