// The training loop: shuffle, batches, warm-up, held-out checks, patience, best parameters kept. Twin of
// condensity/kernels/reference/trainer.py. One thread; the state is an object that goes on where it stopped.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "dispatch.hpp"

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace condensity {

// Denormals count as 0 while this lives, on x86: they are hundreds of times slower there, and no parameter needs them.
class FlushDenormals {
public:
#if defined(__SSE2__) || defined(_M_X64)
    FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }
    ~FlushDenormals() { _mm_setcsr(before_); }

private:
    unsigned before_;
#else
    FlushDenormals() {}
#endif
public:
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;
};

struct TrainingPlan {
    Solver solver;
    double learning_rate;
    std::size_t warm_up, batch_size, max_steps, check_every, patience;
    double tolerance, weight_decay;
    LossSettings loss;
    double max_gradient_norm;
    std::uint64_t seed;
};

// Rows of the caller, who keeps them alive.
struct TrainingRows {
    const float *x, *y, *weight;
    std::size_t count;
};

enum class TrainingStatus { running, patience, max_steps, diverged };

struct TrainingHistory {
    std::vector<std::size_t> step;
    std::vector<double> train_loss, validation_nll;
};

class Trainer {
public:
    // A held-out row counts for at most this many nats, so that one wild row cannot choose the stopping point.
    static constexpr float row_loss_ceiling = 20.0f;

    Trainer(std::vector<std::size_t> widths, NetworkShape shape, const TrainingPlan& plan, const float* theta, TrainingRows rows,
            TrainingRows held_out)
        : kernels_(kernels()), widths_(std::move(widths)), shape_(shape), plan_(plan), rows_(rows), held_out_(held_out),
          random_(plan.seed) {
        shape_.widths = widths_.data();
        shape_.layers = widths_.size() - 1;
        for (std::size_t i = 0; i < shape_.layers; ++i) parameters_ += (widths_[i] + 1) * widths_[i + 1];
        const std::size_t padded = (parameters_ + 15) / 16 * 16;  // whole lanes of every instruction set
        for (std::vector<float>* vector : {&model_, &query_, &first_, &second_, &gradient_, &mask_}) vector->assign(padded, 0.0f);
        std::copy(theta, theta + parameters_, model_.begin());
        query_ = model_;
        if (plan_.solver == Solver::schedule_free_adamw) first_ = model_;
        if (plan_.solver == Solver::rmsprop) std::fill(second_.begin(), second_.end(), 1.0f);
        std::size_t start = 0;
        for (std::size_t i = 0; i < shape_.layers; ++i) {
            std::fill_n(mask_.begin() + static_cast<std::ptrdiff_t>(start), widths_[i] * widths_[i + 1], 1.0f);
            start += (widths_[i] + 1) * widths_[i + 1];
        }
        best_.assign(model_.begin(), model_.begin() + static_cast<std::ptrdiff_t>(parameters_));
        scratch_.resize(kernels_.network_scratch_size(shape_));
        nll_.resize(std::max(held_out_.count, batch_rows()));
        batches_ = (rows_.count + plan_.batch_size - 1) / plan_.batch_size;
        batch_ = batches_;
        if (batches_ > 1) {
            order_.resize(rows_.count);
            std::iota(order_.begin(), order_.end(), 0u);
        }
        if (plan_.max_steps == 0) status_ = TrainingStatus::max_steps;
    }

    // Train for about so many seconds; whether that was the end.
    bool advance(double seconds) {
        const FlushDenormals flush;
        const auto start = std::chrono::steady_clock::now();
        while (status_ == TrainingStatus::running) {
            take_step();
            if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > seconds) break;
        }
        return status_ != TrainingStatus::running;
    }

    TrainingStatus status() const { return status_; }
    std::size_t steps() const { return step_; }
    std::size_t best_step() const { return best_step_; }
    std::size_t clipped() const { return clipped_; }
    const std::vector<float>& best() const { return best_; }
    const TrainingHistory& history() const { return history_; }

private:
    std::size_t batch_rows() const { return std::min(plan_.batch_size, rows_.count); }

    // SplitMix64.
    std::uint64_t next_random() {
        std::uint64_t z = random_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    // The next batch; at the end of an epoch the rows are shuffled first. Sizes differ by at most one.
    RowBatch next_batch() {
        if (batches_ == 1) return {rows_.x, rows_.y, rows_.weight, nullptr, rows_.count};
        if (batch_ == batches_) {
            batch_ = position_ = 0;
            for (std::size_t i = order_.size() - 1; i > 0; --i)
                std::swap(order_[i], order_[((next_random() >> 32) * (i + 1)) >> 32]);
        }
        const std::size_t size = rows_.count / batches_ + (batch_ < rows_.count % batches_ ? 1 : 0);
        const RowBatch batch{rows_.x, rows_.y, rows_.weight, order_.data() + position_, size};
        position_ += size;
        ++batch_;
        return batch;
    }

    void take_step() {
        const RowBatch batch = next_batch();
        const bool averaged = plan_.solver == Solver::schedule_free_adamw;
        const float* at = averaged ? query_.data() : model_.data();
        const double loss = kernels_.network_gradient(shape_, at, batch, plan_.loss, scratch_.data(), gradient_.data());
        const double length = gradient_length();
        if (!std::isfinite(loss) || !std::isfinite(length)) {
            status_ = TrainingStatus::diverged;
            return;
        }
        const bool is_long = length > plan_.max_gradient_norm;
        clipped_ += is_long ? 1 : 0;
        ++step_;
        loss_sum_ += loss;
        ++losses_;
        update(is_long ? plan_.max_gradient_norm / length : 1.0);
        if (step_ % plan_.check_every == 0 || step_ == plan_.max_steps) check(batch);
        if (status_ == TrainingStatus::running && step_ == plan_.max_steps) status_ = TrainingStatus::max_steps;
    }

    // Eight sums side by side, since one alone waits for every addition.
    double gradient_length() const {
        double sums[8] = {};
        for (std::size_t i = 0; i < gradient_.size(); i += 8)
            for (std::size_t j = 0; j < 8; ++j) sums[j] += static_cast<double>(gradient_[i + j]) * static_cast<double>(gradient_[i + j]);
        return std::sqrt(((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])));
    }

    void update(double gradient_scale) {
        const double warm = plan_.warm_up == 0 ? 1.0 : std::min(1.0, static_cast<double>(step_) / static_cast<double>(plan_.warm_up));
        const double rate = plan_.learning_rate * warm, t = static_cast<double>(step_);
        const double beta1 = 0.9, beta2 = plan_.solver == Solver::rmsprop ? 0.9 : 0.999;
        rate_square_sum_ += rate * rate;
        OptimizerStep s{};
        s.solver = plan_.solver;
        s.length = parameters_;
        s.model = model_.data();
        s.query = query_.data();
        s.first = first_.data();
        s.second = second_.data();
        s.gradient = gradient_.data();
        s.decay_mask = mask_.data();
        s.rate = static_cast<float>(std::min(rate, 1e30));
        s.beta1 = static_cast<float>(beta1);
        s.beta2 = static_cast<float>(beta2);
        s.correction1 = static_cast<float>(1.0 / (1.0 - std::pow(beta1, t)));
        s.correction2 = static_cast<float>(1.0 / (1.0 - std::pow(beta2, t)));
        s.share = static_cast<float>(rate_square_sum_ > 0.0 ? rate * rate / rate_square_sum_ : 0.0);
        s.decay = static_cast<float>(plan_.weight_decay);
        s.gradient_scale = static_cast<float>(gradient_scale);
        kernels_.optimizer_step(s);
    }

    // Weighted mean NLL of the model, each row's limited.
    double limited_loss(const RowBatch& batch) {
        kernels_.network_nll(shape_, model_.data(), batch, scratch_.data(), nll_.data());
        double sum = 0.0, weights = 0.0;
        for (std::size_t i = 0; i < batch.rows; ++i) {
            const double weight = static_cast<double>(batch.weight[batch.order ? batch.order[i] : i]);
            // NaN stays: every comparison with it is false.
            sum += weight * static_cast<double>(nll_[i] > row_loss_ceiling ? row_loss_ceiling : nll_[i]);
            weights += weight;
        }
        return sum / weights;
    }

    // Look at the model, on the last batch where nothing is held out.
    void check(const RowBatch& batch) {
        const bool holds_out = held_out_.count > 0;
        const double loss = limited_loss(holds_out ? RowBatch{held_out_.x, held_out_.y, held_out_.weight, nullptr, held_out_.count} : batch);
        history_.step.push_back(step_);
        history_.train_loss.push_back(loss_sum_ / static_cast<double>(losses_));
        history_.validation_nll.push_back(holds_out ? loss : std::numeric_limits<double>::quiet_NaN());
        loss_sum_ = 0.0;
        losses_ = 0;
        // Infinite parameters can have a finite loss, since z is held within float32.
        if (std::isnan(loss) || !std::all_of(model_.begin(), model_.end(), [](float value) { return std::isfinite(value); })) {
            status_ = TrainingStatus::diverged;
            return;
        }
        if (!holds_out || loss < best_loss_) {
            std::copy(model_.begin(), model_.begin() + static_cast<std::ptrdiff_t>(parameters_), best_.begin());
            best_step_ = step_;
            best_loss_ = loss;
        }
        if (!holds_out) return;
        stale_ = loss < reference_loss_ - plan_.tolerance ? 0 : stale_ + 1;
        if (stale_ == 0) reference_loss_ = loss;
        if (stale_ >= plan_.patience) status_ = TrainingStatus::patience;
    }

    const Kernels& kernels_;
    std::vector<std::size_t> widths_;
    NetworkShape shape_;
    TrainingPlan plan_;
    TrainingRows rows_, held_out_;
    std::size_t parameters_ = 0;
    std::vector<float> model_, query_, first_, second_, gradient_, mask_, best_, scratch_, nll_;
    std::vector<std::uint32_t> order_;
    std::size_t batches_ = 0, batch_ = 0, position_ = 0;
    std::uint64_t random_;
    TrainingStatus status_ = TrainingStatus::running;
    std::size_t step_ = 0, best_step_ = 0, clipped_ = 0, losses_ = 0, stale_ = 0;
    double loss_sum_ = 0.0, rate_square_sum_ = 0.0;
    double best_loss_ = std::numeric_limits<double>::infinity(), reference_loss_ = std::numeric_limits<double>::infinity();
    TrainingHistory history_;
};

}  // namespace condensity
