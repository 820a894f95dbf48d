// One network in training: its rows, shuffled into batches; steps of a solver; its density of its held-out rows.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dispatch.hpp"

namespace condensity {

// As condensity.engines' TrainingPlan, whose names these are.
struct TrainingPlan {
    std::string solver;
    double learning_rate;
    std::size_t warm_up, horizon;  // steps: the rate rises linearly, then falls to 0 along a cosine (0: never)
    std::size_t batch_size, max_steps, check_every, patience, min_steps;
    double tolerance, weight_decay;
    Penalty penalty;
    double max_gradient_norm;
    double input_noise, target_noise;  // standard deviations at the first step, 0 from 70 % of max_steps on
};

// Rows of the caller, who keeps them alive: x (n, columns), y (n, outputs), weight; offset (n, head width) or null, as in RowBatch.
struct TrainingRows {
    const float *x, *y, *weight, *offset;
    std::size_t count;
};

using Clock = std::chrono::steady_clock;
using RowList = std::vector<std::uint32_t>;

inline const Solver& find_solver(const Kernels& kernels, const std::string& name) {
    for (std::size_t i = 0; i < kernels.n_solvers; ++i)
        if (name == kernels.solvers[i].name) return kernels.solvers[i];
    throw std::invalid_argument("solver '" + name + "' is unknown.");
}

class Member {
public:
    Member(const NetworkShape& shape, const TrainingPlan& plan, const float* parameters, const TrainingRows& rows, RowList kept,
           RowList held_out, std::uint64_t seed)
        : kernels_(&kernels()), solver_(&find_solver(*kernels_, plan.solver)), shape_(&shape), plan_(&plan), rows_(rows),
          held_out_(std::move(held_out)), order_(std::move(kept)), random_(seed) {
        for (std::size_t i = 0; i < shape.layers; ++i) n_parameters_ += (shape.widths[i] + 1) * shape.widths[i + 1];
        const std::size_t padded = (n_parameters_ + 15) / 16 * 16;  // whole lanes of every instruction set
        for (std::vector<float>* vector : {&model_, &gradient_, &mask_}) vector->assign(padded, 0.0f);
        std::copy(parameters, parameters + n_parameters_, model_.begin());
        best_ = model_;
        if (is_averaged()) query_ = model_;
        for (std::size_t i = 0; i < solver_->n_moments; ++i) moments_.push_back(first_moment(solver_->moment_starts[i]));
        std::size_t start = 0;
        for (std::size_t i = 0; i < shape.layers; ++i) {
            std::fill_n(mask_.begin() + static_cast<std::ptrdiff_t>(start), shape.widths[i] * shape.widths[i + 1], 1.0f);
            start += (shape.widths[i] + 1) * shape.widths[i + 1];
        }
        scratch_.resize(kernels_->network_scratch_size(shape));
        batches_ = (order_.size() + plan.batch_size - 1) / plan.batch_size;
        batch_ = batches_;
        nll_.resize(std::max(held_out_.size(), order_.size() / batches_ + 1));
        if (plan.input_noise > 0.0 || plan.target_noise > 0.0) {
            noisy_x_.resize((order_.size() / batches_ + 1) * shape.columns);
            noisy_y_.resize((order_.size() / batches_ + 1) * shape.outputs);
            noisy_weight_.resize(order_.size() / batches_ + 1);
            if (rows.offset != nullptr) noisy_offset_.resize((order_.size() / batches_ + 1) * shape.head_width());
        }
    }

    // Steps up to number `target`, or until the deadline; whether it got there or diverged.
    bool run_until(std::size_t target, Clock::time_point deadline) {
        while (!diverged_ && step_ < target) {
            take_step();
            if (Clock::now() > deadline) break;
        }
        return diverged_ || step_ >= target;
    }

    // −log p of the held-out rows under the model, or of the last batch where nothing is held out.
    void evaluate() {
        const RowBatch batch = held_out_.empty() ? last_ : batch_of(held_out_.data(), held_out_.size());
        kernels_->network_nll(*shape_, model_.data(), batch, scratch_.data(), nll_.data());
        // Infinite parameters can have a finite loss, since z is held within float32.
        const auto finite = [](float value) { return std::isfinite(value); };
        if (!std::all_of(model_.begin(), model_.end(), finite)) diverged_ = true;
        if (held_out_.empty() && std::any_of(nll_.begin(), nll_.begin() + static_cast<std::ptrdiff_t>(batch.rows),
                                             [](float value) { return std::isnan(value); }))
            diverged_ = true;
    }

    void keep_as_best() { best_ = model_; }

    // Mean training loss since the last call.
    double take_mean_loss() {
        const double mean = loss_sum_ / static_cast<double>(losses_);
        loss_sum_ = 0.0;
        losses_ = 0;
        return mean;
    }

    bool diverged() const { return diverged_; }
    std::size_t steps() const { return step_; }
    std::size_t clipped() const { return clipped_; }
    const float* best() const { return best_.data(); }
    const RowList& held_out() const { return held_out_; }
    const std::vector<float>& nll() const { return nll_; }

    // The solver's state, with which another run may go on, on other rows.
    template <class State>
    void visit_solver(State& state) {
        state(model_), state(query_);
        for (std::vector<float>& moment : moments_) state(moment);
        state(step_), state(rate_square_sum_), state(random_);
    }

    template <class State>
    void visit_rest(State& state) {
        state(best_), state(order_), state(batch_), state(position_);
        state(clipped_), state(losses_), state(loss_sum_), state(diverged_);
    }

    // The rows to train on, in ascending order.
    RowList kept() const {
        RowList rows = order_;
        std::sort(rows.begin(), rows.end());
        return rows;
    }

    // Whether restored fields are those of a member that trains on these rows (ascending): it reads rows by their numbers in order_.
    bool is_possible(const RowList& rows) const {
        const std::size_t whole = order_.size() / batches_, rest = order_.size() % batches_;
        unsigned char flag = 0;
        std::memcpy(&flag, &diverged_, 1);
        return flag <= 1 && kept() == rows && batch_ <= batches_ &&
               (batch_ == batches_ || position_ == batch_ * whole + std::min(batch_, rest));
    }

private:
    bool is_averaged() const { return solver_->share != nullptr; }

    std::vector<float> first_moment(MomentStart start) const {
        if (start == MomentStart::parameters) return model_;
        return std::vector<float>(model_.size(), start == MomentStart::ones ? 1.0f : 0.0f);
    }

    // SplitMix64.
    std::uint64_t next_random() {
        std::uint64_t z = random_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    RowBatch batch_of(const std::uint32_t* order, std::size_t count) const {
        return {rows_.x, rows_.y, rows_.weight, rows_.offset, order, count};
    }

    // The next batch; at the end of an epoch the rows are shuffled first. Sizes differ by at most one.
    RowBatch next_batch() {
        if (batch_ == batches_) {
            batch_ = position_ = 0;
            for (std::size_t i = batches_ > 1 ? order_.size() - 1 : 0; i > 0; --i)
                std::swap(order_[i], order_[((next_random() >> 32) * (i + 1)) >> 32]);
        }
        const std::size_t size = order_.size() / batches_ + (batch_ < order_.size() % batches_ ? 1 : 0);
        const RowBatch batch = batch_of(order_.data() + position_, size);
        position_ += size;
        ++batch_;
        return noisy_x_.empty() ? batch : with_noise(batch);
    }

    // Two independent standard normals (Box & Muller 1958).
    std::pair<double, double> next_normals() {
        const double u = (static_cast<double>(next_random() >> 11) + 0.5) * 0x1p-53, v = static_cast<double>(next_random() >> 11) * 0x1p-53;
        const double radius = std::sqrt(-2.0 * std::log(u)), angle = 6.283185307179586 * v;
        return {radius * std::cos(angle), radius * std::sin(angle)};
    }

    // A copy of the batch, moved by noise that fades; weights and offsets are those of the rows.
    RowBatch with_noise(const RowBatch& batch) {
        const double left = std::max(0.0, 1.0 - static_cast<double>(step_) / (0.7 * static_cast<double>(plan_->max_steps)));
        const auto move = [&](const float* source, float* target, std::size_t count, double spread) {
            for (std::size_t j = 0; j < count; j += 2) {
                const auto [first, second] = next_normals();
                target[j] = source[j] + static_cast<float>(spread * first);
                if (j + 1 < count) target[j + 1] = source[j + 1] + static_cast<float>(spread * second);
            }
        };
        for (std::size_t i = 0; i < batch.rows; ++i) {
            const std::size_t row = batch.order[i];
            move(batch.x + row * shape_->columns, noisy_x_.data() + i * shape_->columns, shape_->columns, left * plan_->input_noise);
            move(batch.y + row * shape_->outputs, noisy_y_.data() + i * shape_->outputs, shape_->outputs, left * plan_->target_noise);
            noisy_weight_[i] = batch.weight[row];
            if (batch.offset != nullptr) {
                const std::size_t width = shape_->head_width();
                std::copy_n(batch.offset + row * width, width, noisy_offset_.data() + i * width);
            }
        }
        const float* offset = batch.offset == nullptr ? nullptr : noisy_offset_.data();
        return {noisy_x_.data(), noisy_y_.data(), noisy_weight_.data(), offset, nullptr, batch.rows};
    }

    void take_step() {
        last_ = next_batch();
        const float* at = is_averaged() ? query_.data() : model_.data();
        const double loss = kernels_->network_gradient(*shape_, at, last_, plan_->penalty, scratch_.data(), gradient_.data());
        const double length = gradient_length();
        if (!std::isfinite(loss) || !std::isfinite(length)) {
            diverged_ = true;
            return;
        }
        const bool is_long = length > plan_->max_gradient_norm;
        clipped_ += is_long ? 1 : 0;
        ++step_;
        loss_sum_ += loss;
        ++losses_;
        update(is_long ? plan_->max_gradient_norm / length : 1.0);
    }

    // Eight sums side by side, since one alone waits for every addition.
    double gradient_length() const {
        double sums[8] = {};
        for (std::size_t i = 0; i < gradient_.size(); i += 8)
            for (std::size_t j = 0; j < 8; ++j) sums[j] += static_cast<double>(gradient_[i + j]) * static_cast<double>(gradient_[i + j]);
        return std::sqrt(((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])));
    }

    double rate() const {
        const double t = static_cast<double>(step_), warm_up = static_cast<double>(plan_->warm_up);
        if (t < warm_up) return plan_->learning_rate * t / warm_up;
        if (plan_->horizon <= plan_->warm_up) return plan_->learning_rate;
        const double gone = std::min(1.0, (t - warm_up) / (static_cast<double>(plan_->horizon) - warm_up));
        return plan_->learning_rate * 0.5 * (1.0 + std::cos(3.141592653589793 * gone));
    }

    void update(double gradient_scale) {
        const double rate = this->rate(), t = static_cast<double>(step_);
        rate_square_sum_ += rate * rate;
        OptimizerStep s{};
        s.length = n_parameters_;
        s.model = model_.data();
        s.query = is_averaged() ? query_.data() : s.model;
        for (std::size_t i = 0; i < moments_.size(); ++i) s.moments[i] = moments_[i].data();
        s.gradient = gradient_.data();
        s.decay_mask = mask_.data();
        s.rate = static_cast<float>(std::min(rate, 1e30));
        s.beta1 = static_cast<float>(solver_->beta1);
        s.beta2 = static_cast<float>(solver_->beta2);
        s.correction1 = static_cast<float>(1.0 / (1.0 - std::pow(solver_->beta1, t)));
        s.correction2 = static_cast<float>(1.0 / (1.0 - std::pow(solver_->beta2, t)));
        if (is_averaged()) s.share = static_cast<float>(solver_->share(t, rate, rate_square_sum_));
        s.decay = static_cast<float>(plan_->weight_decay);
        s.gradient_scale = static_cast<float>(gradient_scale);
        solver_->step(s);
    }

    const Kernels* kernels_;
    const Solver* solver_;
    const NetworkShape* shape_;
    const TrainingPlan* plan_;
    TrainingRows rows_;
    RowList held_out_, order_;  // the rows to train on come in the order of the epoch
    std::size_t n_parameters_ = 0;
    std::vector<float> model_, query_;         // query_ is empty where the model is not an average
    std::vector<std::vector<float>> moments_;  // of the solver
    std::vector<float> gradient_, mask_, best_, scratch_, nll_;
    std::vector<float> noisy_x_, noisy_y_, noisy_weight_, noisy_offset_;
    RowBatch last_{};
    std::size_t batches_ = 0, batch_ = 0, position_ = 0;
    std::uint64_t random_;
    std::size_t step_ = 0, clipped_ = 0, losses_ = 0;
    double loss_sum_ = 0.0, rate_square_sum_ = 0.0;
    bool diverged_ = false;
};

}  // namespace condensity
