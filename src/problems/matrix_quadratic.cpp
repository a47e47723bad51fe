// A quadratic of a matrix with additive noise and a random curvature, on which the rates of Muon with and without
// variance reduction are measured (arXiv:2509.15816 has T^-1/4 and T^-1/3).
//   f(W) = <W, A W> / 2,   A diagonal, its entries from 1 / condition to 1 in equal ratios
//   a sample:  <W, (A + curvature_noise S) W> / 2 + noise <Z, W> + heavy_noise t <u, W v>
// with S symmetric, its entries and those of Z standard normal, u and v random unit vectors and t of Student's
// distribution: infinite variance for 2 degrees of freedom and fewer (the setting of arXiv:2605.11838).
#include "problems/synthetic.h"

#include <cmath>
#include <numbers>

namespace steepest {

namespace {

class MatrixQuadratic final : public SyntheticProblem {
public:
    struct Options {
        std::int64_t rows = 6, cols = 5;
        double condition = 10, noise = 1, curvature_noise = 0, heavy_noise = 0, degrees_of_freedom = 1.5;
        float start = 1;

        void fields(auto& f) {
            const Range<double> positive{.low = 0};
            f("rows", rows, "of the matrix", Range<std::int64_t>{1, 1024});
            f("cols", cols, "of the matrix", Range<std::int64_t>{1, 1024});
            f("condition", condition, "largest over smallest curvature; the largest is 1", Range<double>{.low = 1});
            f("noise", noise, "standard deviation of the gradient's elements", positive);
            f("curvature_noise", curvature_noise, "standard deviation of the curvature's elements", positive);
            f("heavy_noise", heavy_noise, "factor of a rank-one noise with heavy tails", positive);
            f("degrees_of_freedom", degrees_of_freedom, "of that noise's Student distribution",
              Range<double>{.low = 0, .open_low = true});
            f("start", start, "standard deviation of the initial weights; 0 is the minimum", Range<float>{.low = 0});
        }
    };
    explicit MatrixQuadratic(Options options)
        : SyntheticProblem({options.rows, options.cols}, {.mean = 0, .deviation = options.start}), options_(options) {
        const std::int64_t n = options.rows;
        for (std::int64_t i = 0; i < n; ++i)
            curvature_.push_back(n == 1 ? 1 : std::pow(options.condition, -static_cast<double>(i) / double(n - 1)));
    }

    std::int64_t gradient_flops(std::int64_t samples) const override {
        const std::int64_t more = options_.curvature_noise > 0 ? 2 * options_.rows : 0;
        return samples * shape().count() * (2 + more);
    }

private:
    double objective(const Values& w, Values& gradient) const override {
        double loss = 0;
        for (std::size_t i = 0; i < w.size(); ++i) {
            const double g = curvature_[i / options_.cols] * w[i];
            gradient[i] += g, loss += g * w[i] / 2;
        }
        return loss;
    }

    double sample(const Values& w, const Random& random, Values& gradient) const override {
        double loss = objective(w, gradient);
        std::uint64_t drawn = 0;
        // <G, W>, the loss of a noise that is linear in W.
        const auto add = [&](std::size_t i, double g) { gradient[i] += g, loss += g * w[i]; };
        if (options_.noise > 0)
            for (std::size_t i = 0; i < w.size(); ++i) add(i, options_.noise * random.normal(drawn + i));
        drawn += w.size();
        if (options_.curvature_noise > 0) loss += add_curvature(w, random, drawn, gradient);
        drawn += options_.rows * (options_.rows + 1) / 2;
        if (options_.heavy_noise > 0) {
            const Values u = direction(options_.rows, random, drawn),
                         v = direction(options_.cols, random, drawn + options_.rows);
            const double t = options_.heavy_noise * student(random, drawn + options_.rows + options_.cols);
            for (std::size_t i = 0; i < w.size(); ++i) add(i, t * u[i / options_.cols] * v[i % options_.cols]);
        }
        return loss;
    }

    // <W, S W> / 2, S the curvature's noise; adds its gradient S W.
    double add_curvature(const Values& w, const Random& random, std::uint64_t drawn, Values& gradient) const {
        const std::int64_t n = options_.cols;
        double loss = 0;
        for (std::int64_t i = 0; i < options_.rows; ++i)
            for (std::int64_t k = 0; k <= i; ++k) {
                const double s = options_.curvature_noise * random.normal(drawn++);
                for (std::int64_t j = 0; j < n; ++j) {
                    gradient[i * n + j] += s * w[k * n + j];
                    if (k < i) gradient[k * n + j] += s * w[i * n + j];
                    loss += s * w[i * n + j] * w[k * n + j] * (k < i ? 1 : 0.5);
                }
            }
        return loss;
    }
    static Values direction(std::int64_t size, const Random& random, std::uint64_t first) {
        Values x(size);
        double squares = 0;
        for (std::int64_t i = 0; i < size; ++i) x[i] = random.normal(first + i), squares += x[i] * x[i];
        for (double& value : x) value /= std::sqrt(squares);
        return x;
    }
    // Bailey 1994, "Polar generation of random variates with the t-distribution".
    double student(const Random& random, std::uint64_t first) const {
        // Uniform and normal numbers are of the same words: from a pair that no normal number used.
        first += first % 2;
        const double n = options_.degrees_of_freedom, u = 1 - random.uniform(first), v = random.uniform(first + 1);
        return std::sqrt(n * (std::pow(u, -2 / n) - 1)) * std::cos(2 * std::numbers::pi * v);
    }

    Options options_;
    Values curvature_;  // of each row
};

const Register<SyntheticProblem, MatrixQuadratic> registered(
    "matrix_quadratic", "a quadratic of a matrix, with noise of the gradient and of the curvature");

}  // namespace

}  // namespace steepest
