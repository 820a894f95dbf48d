// Greedy k-means++ and Lloyd's steps on a few thousand rows. Twin of condensity/engines/reference/kmeans.py.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace condensity {

class Clusters {
public:
    // Rows x (rows, columns) with weights, which the caller keeps alive.
    Clusters(const double* x, const double* weight, std::size_t rows, std::size_t columns)
        : weight_(weight), rows_(rows), columns_(columns), x_(rows * columns), distance_(rows), nearest_(rows) {
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < columns; ++j) x_[j * rows + i] = x[i * columns + j];
    }

    // Draws a centre for each row of `uniforms` (components, candidates).
    void start(const double* uniforms, std::size_t components, std::size_t candidates) {
        std::vector<double> nearest(rows_), best(rows_), share(weight_, weight_ + rows_);
        std::vector<double> cumulative = cumulated(share);
        add_centre(draw(cumulative, uniforms[0]));
        measure(centres_.data());
        nearest.swap(distance_);
        for (std::size_t k = 1; k < components; ++k) {
            for (std::size_t i = 0; i < rows_; ++i) share[i] = weight_[i] * nearest[i];
            cumulative = cumulated(share);
            if (!(cumulative.back() > 0.0)) cumulative = cumulated({weight_, weight_ + rows_});
            double least = std::numeric_limits<double>::infinity();
            std::size_t chosen = 0;
            for (std::size_t c = 0; c < candidates; ++c) {
                const std::size_t candidate = draw(cumulative, uniforms[k * candidates + c]);
                const double left = sum_of_squares(row(candidate), nearest);
                if (c > 0 && !(left < least)) continue;
                least = left;
                chosen = candidate;
                best.swap(distance_);
            }
            nearest.swap(best);
            add_centre(chosen);
        }
        assign();
    }

    // Moves every centre to the mean of its rows, if it has any.
    void step() {
        const std::size_t components = centres_.size() / columns_;
        std::vector<double> mass(components, 0.0), moved(centres_.size(), 0.0);
        for (std::size_t i = 0; i < rows_; ++i) mass[nearest_[i]] += weight_[i];
        for (std::size_t j = 0; j < columns_; ++j)
            for (std::size_t i = 0; i < rows_; ++i) moved[nearest_[i] * columns_ + j] += weight_[i] * x_[j * rows_ + i];
        for (std::size_t k = 0; k < components; ++k)
            for (std::size_t j = 0; mass[k] > 0.0 && j < columns_; ++j) centres_[k * columns_ + j] = moved[k * columns_ + j] / mass[k];
        assign();
    }

    const std::vector<double>& centres() const { return centres_; }         // (components, columns)
    const std::vector<std::uint32_t>& nearest() const { return nearest_; }  // of every row, the first of several

private:
    std::vector<double> row(std::size_t i) const {
        std::vector<double> values(columns_);
        for (std::size_t j = 0; j < columns_; ++j) values[j] = x_[j * rows_ + i];
        return values;
    }

    void add_centre(std::size_t i) {
        const std::vector<double> centre = row(i);
        centres_.insert(centres_.end(), centre.begin(), centre.end());
    }

    // distance_ ← squared distances of all rows to a centre.
    void measure(const double* centre) {
        std::fill(distance_.begin(), distance_.end(), 0.0);
        for (std::size_t j = 0; j < columns_; ++j) {
            const double *column = x_.data() + j * rows_, place = centre[j];
            for (std::size_t i = 0; i < rows_; ++i) distance_[i] += (column[i] - place) * (column[i] - place);
        }
    }

    // What is left with one more centre; distance_ then holds each row's distance to its nearest.
    double sum_of_squares(const std::vector<double>& centre, const std::vector<double>& nearest) {
        measure(centre.data());
        double sums[4] = {0.0, 0.0, 0.0, 0.0};
        for (std::size_t i = 0; i < rows_; ++i) {
            distance_[i] = std::min(nearest[i], distance_[i]);
            sums[i % 4] += weight_[i] * distance_[i];
        }
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    static std::vector<double> cumulated(std::vector<double> values) {
        for (std::size_t i = 1; i < values.size(); ++i) values[i] += values[i - 1];
        return values;
    }

    // A row with probability in proportion to what was cumulated; never one of weight 0.
    static std::size_t draw(const std::vector<double>& cumulative, double uniform) {
        const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), uniform * cumulative.back());
        if (found != cumulative.end()) return static_cast<std::size_t>(found - cumulative.begin());
        // Rounding past the last positive one, which is where the total is first reached.
        return static_cast<std::size_t>(std::lower_bound(cumulative.begin(), cumulative.end(), cumulative.back()) - cumulative.begin());
    }

    void assign() {
        std::vector<double> least(rows_, std::numeric_limits<double>::infinity());
        for (std::size_t k = 0; k < centres_.size() / columns_; ++k) {
            measure(centres_.data() + k * columns_);
            for (std::size_t i = 0; i < rows_; ++i) {
                const bool closer = k == 0 || distance_[i] < least[i];
                least[i] = closer ? distance_[i] : least[i];
                nearest_[i] = closer ? static_cast<std::uint32_t>(k) : nearest_[i];
            }
        }
    }

    const double* weight_;
    std::size_t rows_, columns_;
    std::vector<double> x_;  // column after column
    std::vector<double> distance_, centres_;
    std::vector<std::uint32_t> nearest_;
};

}  // namespace condensity
