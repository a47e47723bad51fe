// A linear memory of pairs: item i is recalled where v_i is the likeliest answer to u_i (Kim et al. 2026,
// arXiv:2603.26554: Gaussian u and v, the logistic loss, frequencies that fall by a power).
//   f(W) = sum_i p_i (log sum_j exp <v_j, W u_i> - <v_i, W u_i>),   p_i in proportion to i^-exponent
//   a sample:  the term in brackets for an item drawn with these frequencies;   W begins at 0
#include "problems/synthetic.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace steepest {

namespace {

class AssociativeMemory final : public SyntheticProblem {
public:
    struct Options {
        std::int64_t items = 256, width = 32;
        double exponent = 1;
        bool population = false;
        std::uint64_t instance = 1;

        void fields(auto& f) {
            f("items", items, "pairs to remember", Range<std::int64_t>{1, 1 << 14});
            f("width", width, "of the vectors, and so of the square matrix", Range<std::int64_t>{1, 4096});
            f("exponent", exponent, "item i comes in proportion to i^-exponent", Range<double>{0, 20});
            f("population", population, "every sample is the mean of all: an endless batch");
            f("instance", instance, "seed of the vectors");
        }
    };
    explicit AssociativeMemory(Options options)
        : SyntheticProblem({options.width, options.width}, {}),
          options_(options),
          inputs_(vectors("problem/inputs")),
          outputs_(vectors("problem/outputs")) {
        double total = 0;
        for (std::int64_t i = 0; i < options.items; ++i)
            frequency_.push_back(std::pow(double(i + 1), -options.exponent)), total += frequency_.back();
        double below = 0;
        for (double& p : frequency_) p /= total, cumulative_.push_back(below += p);
    }

    std::int64_t gradient_flops(std::int64_t samples) const override {
        const std::int64_t at_once = options_.population ? options_.items : 1;
        return 4 * samples * at_once * options_.width * (options_.items + options_.width);
    }

private:
    // An item's vectors are rows of deviation 1 / sqrt(width), so of length about 1.
    Values vectors(const std::string& purpose) const {
        const Random random(options_.instance, purpose);
        Values v(options_.items * options_.width);
        for (std::size_t i = 0; i < v.size(); ++i) v[i] = random.normal(i) / std::sqrt(double(options_.width));
        return v;
    }
    // Of all answers to item i.
    Values scores(const Values& w, std::int64_t i) const {
        const std::int64_t n = options_.width;
        const double* u = &inputs_[i * n];
        Values wu(n), s(options_.items);
        for (std::int64_t k = 0; k < n; ++k)
            for (std::int64_t l = 0; l < n; ++l) wu[k] += w[k * n + l] * u[l];
        for (std::int64_t j = 0; j < options_.items; ++j)
            for (std::int64_t k = 0; k < n; ++k) s[j] += outputs_[j * n + k] * wu[k];
        return s;
    }
    // weight times the item's loss, and its gradient.
    double add_item(const Values& w, std::int64_t i, double weight, Values& gradient) const {
        const std::int64_t n = options_.width;
        Values s = scores(w, i);
        const double own = s[i], most = *std::max_element(s.begin(), s.end());
        double sum = 0;
        for (double& value : s) value = std::exp(value - most), sum += value;
        Values of_answer(n);  // sum_j (probability_j - [j = i]) v_j
        for (std::int64_t j = 0; j < options_.items; ++j) {
            const double error = s[j] / sum - (j == i ? 1 : 0);
            for (std::int64_t k = 0; k < n; ++k) of_answer[k] += error * outputs_[j * n + k];
        }
        for (std::int64_t k = 0; k < n; ++k)
            for (std::int64_t l = 0; l < n; ++l) gradient[k * n + l] += weight * of_answer[k] * inputs_[i * n + l];
        return weight * (most + std::log(sum) - own);
    }

    double objective(const Values& w, Values& gradient) const override {
        double loss = 0;
        for (std::int64_t i = 0; i < options_.items; ++i) loss += add_item(w, i, frequency_[i], gradient);
        return loss;
    }
    double sample(const Values& w, const Random& random, Values& gradient) const override {
        if (options_.population) return objective(w, gradient);
        const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), random.uniform(0));
        const std::int64_t item = std::min<std::int64_t>(at - cumulative_.begin(), options_.items - 1);
        return add_item(w, item, 1, gradient);
    }
    // Items whose own answer has a higher score than every other.
    void measure(const Values& w, Measures& measures) const override {
        std::int64_t recalled = 0;
        double frequency = 0;
        for (std::int64_t i = 0; i < options_.items; ++i) {
            Values s = scores(w, i);
            const double own = std::exchange(s[i], -INFINITY);
            if (own <= *std::max_element(s.begin(), s.end())) continue;
            ++recalled, frequency += frequency_[i];
        }
        measures.emplace_back("recalled", recalled);
        measures.emplace_back("recalled_frequency", frequency);
    }

    Options options_;
    Values inputs_, outputs_;  // u_i and v_i, a row each
    Values frequency_, cumulative_;
};

const Register<SyntheticProblem, AssociativeMemory> registered("associative_memory",
                                                               "a linear memory of pairs with unequal frequencies");

}  // namespace

}  // namespace steepest
