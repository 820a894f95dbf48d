// The training loop: networks side by side, in step with each other; held-out checks, patience, best parameters kept. Twin of
// condensity/engines/reference/trainer.py. The state is an object that goes on where it stopped.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "member.hpp"
#include "serialize.hpp"
#include "threads.hpp"

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

enum class TrainingStatus { running, patience, max_steps, diverged };

struct TrainingHistory {
    std::vector<std::size_t> step;
    std::vector<double> train_loss, validation_nll;
};

// Where a member starts, and its rows.
struct MemberStart {
    const float* parameters;
    RowList kept, held_out;
    std::uint64_t seed;
};

class Trainer {
public:
    // A held-out row counts for at most this many nats an output, so that one wild row cannot choose the stopping point.
    static constexpr double row_loss_cap = 20.0;

    // The shape's arrays must outlive the trainer.
    Trainer(const NetworkShape& shape, const TrainingPlan& plan, const TrainingRows& rows, std::vector<MemberStart> starts,
            std::size_t threads)
        : shape_(shape), plan_(plan), rows_(rows), threads_(threads) {
        for (MemberStart& start : starts)
            members_.emplace_back(shape_, plan_, start.parameters, rows_, std::move(start.kept), std::move(start.held_out), start.seed);
        find_places();
        if (plan_.max_steps == 0) status_ = TrainingStatus::max_steps;
    }

    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    // Trains for about this many seconds; whether the run has ended.
    bool advance(double seconds) {
        const Clock::time_point deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
        while (status_ == TrainingStatus::running) {
            const std::size_t target = std::min(plan_.max_steps, (checked_ / plan_.check_every + 1) * plan_.check_every);
            std::vector<char> arrived(members_.size());
            for_members([&](std::size_t i) { arrived[i] = members_[i].run_until(target, deadline) ? 1 : 0; });
            if (std::count(arrived.begin(), arrived.end(), 0) > 0) break;
            check(target);
            if (Clock::now() > deadline) break;
        }
        return status_ != TrainingStatus::running;
    }

    TrainingStatus status() const { return status_; }
    std::size_t steps() const {
        std::size_t steps = 0;
        for (const Member& member : members_) steps = std::max(steps, member.steps());
        return steps;
    }
    std::size_t clipped() const {
        std::size_t clipped = 0;
        for (const Member& member : members_) clipped += member.clipped();
        return clipped;
    }
    std::size_t best_step() const { return best_step_; }
    std::size_t last_check() const { return checked_; }
    const std::vector<Member>& members() const { return members_; }
    const TrainingHistory& history() const { return history_; }
    // The rows that any member holds out, and log p of them under the best models of the members that hold them out; NaN before
    // there are any.
    const RowList& held_out() const { return held_out_; }
    const std::vector<float>& held_out_log_density() const { return best_log_density_; }

    std::vector<std::uint8_t> save() {
        StateWriter state;
        visit(state);
        return state.bytes();
    }

    void restore(const std::uint8_t* bytes, std::size_t size) {
        std::vector<RowList> kept;
        for (const Member& member : members_) kept.push_back(member.kept());
        StateReader state(bytes, size);
        try {
            visit(state);
            bool possible = state.is_at_end() && status_ >= TrainingStatus::running && status_ <= TrainingStatus::diverged &&
                            history_.step.size() == history_.train_loss.size() && history_.step.size() == history_.validation_nll.size();
            for (std::size_t i = 0; i < members_.size(); ++i) possible = possible && members_[i].is_possible(kept[i]);
            if (!possible) StateReader::fail();
        } catch (...) {
            status_ = TrainingStatus::diverged;  // what has half a state takes no step
            throw;
        }
    }

    // Takes only the solvers from the state of another run of the same network.
    void load_optimizer_state(const std::uint8_t* bytes, std::size_t size) {
        StateReader state(bytes, size);
        for (Member& member : members_) member.visit_solver(state);
        checked_ = steps();
    }

private:
    template <class Work>
    void for_members(Work work) {
        const auto one = [&](std::size_t i) {
            const FlushDenormals flush;
            work(i);
        };
        if (threads_ == 1 || members_.size() == 1) {
            for (std::size_t i = 0; i < members_.size(); ++i) one(i);
            return;
        }
        for_row_blocks(members_.size(), 1, threads_, [&] { return [&](std::size_t i, std::size_t) { one(i); }; }, [] { return false; });
    }

    // Lists the rows that are held out, and where each member's are in that list.
    void find_places() {
        for (const Member& member : members_) held_out_.insert(held_out_.end(), member.held_out().begin(), member.held_out().end());
        std::sort(held_out_.begin(), held_out_.end());
        held_out_.erase(std::unique(held_out_.begin(), held_out_.end()), held_out_.end());
        held_out_by_.assign(held_out_.size(), 0);
        for (const Member& member : members_) {
            places_.emplace_back();
            for (const std::uint32_t row : member.held_out()) {
                const auto place = std::lower_bound(held_out_.begin(), held_out_.end(), row) - held_out_.begin();
                places_.back().push_back(static_cast<std::uint32_t>(place));
                ++held_out_by_[static_cast<std::size_t>(place)];
            }
        }
        row_log_density_.assign(held_out_.size(), 0.0f);
        best_log_density_.assign(held_out_.size(), std::numeric_limits<float>::quiet_NaN());
    }

    bool holds_out() const { return !held_out_.empty(); }

    // Log mean density of every held-out row under the models of the members that hold it out, and its capped mean loss.
    double held_out_loss() {
        constexpr float nothing = -std::numeric_limits<float>::infinity();
        std::fill(row_log_density_.begin(), row_log_density_.end(), nothing);
        for (std::size_t member = 0; member < members_.size(); ++member)
            for (std::size_t i = 0; i < places_[member].size(); ++i) {
                float& sum = row_log_density_[places_[member][i]];
                const float term = -members_[member].nll()[i];
                const float top = term < sum ? sum : term, gap = term < sum ? term - sum : sum - term;
                sum = sum == nothing ? term : top + std::log1p(std::exp(gap));
            }
        const double cap = row_loss_cap * static_cast<double>(shape_.outputs);
        double total = 0.0, weights = 0.0;
        for (std::size_t i = 0; i < held_out_.size(); ++i) {
            if (held_out_by_[i] > 1) row_log_density_[i] -= std::log(static_cast<float>(held_out_by_[i]));
            const double loss = -static_cast<double>(row_log_density_[i]), weight = static_cast<double>(rows_.weight[held_out_[i]]);
            total += weight * (loss > cap ? cap : loss);  // NaN stays
            weights += weight;
        }
        return total / weights;
    }

    // Evaluates the models, all of which have taken `step` steps.
    void check(std::size_t step) {
        checked_ = step;
        if (!any_diverged()) for_members([&](std::size_t i) { members_[i].evaluate(); });
        const double loss = any_diverged() || !holds_out() ? std::numeric_limits<double>::quiet_NaN() : held_out_loss();
        if (std::any_of(members_.begin(), members_.end(), [&](const Member& member) { return member.steps() < step; })) {
            status_ = TrainingStatus::diverged;
            return;
        }
        double train_loss = 0.0;
        for (Member& member : members_) train_loss += member.take_mean_loss() / static_cast<double>(members_.size());
        history_.step.push_back(step);
        history_.train_loss.push_back(train_loss);
        history_.validation_nll.push_back(loss);
        if (any_diverged() || (holds_out() && std::isnan(loss))) {
            status_ = TrainingStatus::diverged;
            return;
        }
        if (!holds_out() || loss < best_loss_) {
            for (Member& member : members_) member.keep_as_best();
            best_log_density_ = row_log_density_;
            best_step_ = step;
            best_loss_ = loss;
        }
        if (step == plan_.max_steps) status_ = TrainingStatus::max_steps;
        if (!holds_out()) return;
        stale_ = loss < reference_loss_ - plan_.tolerance ? 0 : stale_ + 1;
        if (stale_ == 0) reference_loss_ = loss;
        if (stale_ >= plan_.patience && step >= plan_.min_steps) status_ = TrainingStatus::patience;
    }

    bool any_diverged() const {
        return std::any_of(members_.begin(), members_.end(), [](const Member& member) { return member.diverged(); });
    }

    template <class State>
    void visit(State& state) {
        for (Member& member : members_) member.visit_solver(state);
        for (Member& member : members_) member.visit_rest(state);
        state(best_log_density_);
        state(checked_), state(best_step_), state(stale_), state(best_loss_), state(reference_loss_), state(status_);
        state.resizable(history_.step), state.resizable(history_.train_loss), state.resizable(history_.validation_nll);
    }

    NetworkShape shape_;
    TrainingPlan plan_;
    TrainingRows rows_;
    std::size_t threads_;
    std::vector<Member> members_;
    RowList held_out_;
    std::vector<RowList> places_;  // of every member's held-out rows in held_out_
    std::vector<std::uint32_t> held_out_by_;
    std::vector<float> row_log_density_, best_log_density_;
    std::size_t checked_ = 0, best_step_ = 0, stale_ = 0;
    double best_loss_ = std::numeric_limits<double>::infinity(), reference_loss_ = std::numeric_limits<double>::infinity();
    TrainingStatus status_ = TrainingStatus::running;
    TrainingHistory history_;
};

}  // namespace condensity
