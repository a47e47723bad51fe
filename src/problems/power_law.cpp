// Least squares with a matrix of unknowns, data whose covariance falls by a power and a target that does, after
// "Phases of Muon" (Paquette et al. 2026, arXiv:2605.09552), whose abstract names the two exponents but not their
// normalisation; ours is
//   f(W) = E |(W Q - W*) x|^2 / 2,   x normal with variances j^-alpha,   column j of W* normal with deviation j^-beta
// with Q a random rotation, since what signs make of data depends on its basis, or, not rotated, the identity;
//   a sample:  |(W Q - W*) x - label_noise e|^2 / 2 for one x and a normal e, less the mean that e adds
#include "problems/orthonormal.h"
#include "problems/synthetic.h"

#include <cmath>

namespace steepest {

namespace {

class PowerLaw final : public SyntheticProblem {
public:
    struct Options {
        std::int64_t rows = 32, cols = 32;
        double alpha = 1, beta = 0.5, label_noise = 0;
        bool rotated = true, population = false;
        std::uint64_t instance = 1;

        void fields(auto& f) {
            f("rows", rows, "outputs", Range<std::int64_t>{1, 4096});
            f("cols", cols, "inputs", Range<std::int64_t>{1, 4096});
            f("alpha", alpha, "input j has variance j^-alpha", Range<double>{0, 20});
            f("beta", beta, "column j of the target has deviation j^-beta", Range<double>{0, 20});
            f("label_noise", label_noise, "standard deviation of the outputs' noise", Range<double>{.low = 0});
            f("rotated", rotated, "the inputs are rotated, so that their covariance is no longer diagonal");
            f("population", population, "every sample is the mean of all: an endless batch");
            f("instance", instance, "seed of the target");
        }
        void check(auto&& error) const {
            if (population && label_noise > 0)
                error("/label_noise", std::string("the population has none; expected 0"));
        }
    };
    explicit PowerLaw(Options options)
        : SyntheticProblem({options.rows, options.cols}, {}),
          options_(options),
          target_(options.rows * options.cols),
          rotation_(options.rotated ? random_orthogonal(options.cols, options.instance, "problem/rotation")
                                    : Values()) {
        const Random random(options.instance, "problem/target");
        for (std::int64_t j = 0; j < options.cols; ++j) variance_.push_back(std::pow(double(j + 1), -options.alpha));
        for (std::size_t i = 0; i < target_.size(); ++i)
            target_[i] = random.normal(i) * std::pow(double(i % options.cols + 1), -options.beta);
    }

    std::int64_t gradient_flops(std::int64_t samples) const override {
        return samples * shape().count() * (4 + (options_.rotated ? 4 * options_.cols : 0));
    }

private:
    // W Q.
    Values rotate(const Values& w) const {
        if (rotation_.empty()) return w;
        const std::int64_t n = options_.cols;
        Values out(w.size());
        for (std::int64_t i = 0; i < options_.rows; ++i)
            for (std::int64_t k = 0; k < n; ++k)
                for (std::int64_t j = 0; j < n; ++j) out[i * n + j] += w[i * n + k] * rotation_[k * n + j];
        return out;
    }
    // gradient += G Q^T.
    void rotate_back(const Values& g, Values& gradient) const {
        const std::int64_t n = options_.cols;
        for (std::int64_t i = 0; i < options_.rows; ++i)
            for (std::int64_t k = 0; k < n; ++k) {
                if (rotation_.empty()) gradient[i * n + k] += g[i * n + k];
                for (std::int64_t j = 0; !rotation_.empty() && j < n; ++j)
                    gradient[i * n + k] += g[i * n + j] * rotation_[k * n + j];
            }
    }

    double objective(const Values& w, Values& gradient) const override {
        Values g = rotate(w);
        double loss = 0;
        for (std::size_t i = 0; i < g.size(); ++i) {
            const double error = g[i] - target_[i];
            g[i] = variance_[i % options_.cols] * error, loss += g[i] * error / 2;
        }
        rotate_back(g, gradient);
        return loss;
    }
    double sample(const Values& w, const Random& random, Values& gradient) const override {
        if (options_.population) return objective(w, gradient);
        const std::int64_t n = options_.cols;
        Values x(n), g = rotate(w);
        for (std::int64_t j = 0; j < n; ++j) x[j] = std::sqrt(variance_[j]) * random.normal(j);
        double loss = 0;
        for (std::int64_t i = 0; i < options_.rows; ++i) {
            double residual = -options_.label_noise * random.normal(n + i);
            for (std::int64_t j = 0; j < n; ++j) residual += (g[i * n + j] - target_[i * n + j]) * x[j];
            for (std::int64_t j = 0; j < n; ++j) g[i * n + j] = residual * x[j];
            loss += (residual * residual - options_.label_noise * options_.label_noise) / 2;
        }
        rotate_back(g, gradient);
        return loss;
    }

    Options options_;
    Values variance_, target_, rotation_;
};

const Register<SyntheticProblem, PowerLaw> registered("power_law",
                                                      "least squares with power laws of covariance and target");

}  // namespace

}  // namespace steepest
