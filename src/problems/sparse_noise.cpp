// A quadratic with one steep coordinate, and noise on that one alone: where signs of gradients are faster than
// gradients by a factor that grows with the dimension (arXiv:2605.06615).
//   f(x) = sum_i L_i x_i^2 / 2,   L_0 = curvature, all others 1;   a sample:  f(x) + noise curvature z x_0,  z normal
// x begins at `start` in every coordinate; w is how far it has gone. Rotated, w is a matrix and
// x_i = start + <q_i, W z_i> with orthonormal q and z: what polar factors make of it is what signs make of the vector.
#include "problems/orthonormal.h"
#include "problems/synthetic.h"

#include <cmath>

namespace steepest {

namespace {

class SparseNoise final : public SyntheticProblem {
public:
    struct Options {
        std::int64_t dimension = 100;
        double curvature = 0, noise = 1, start = 1;
        bool rotated = false;

        void fields(auto& f) {
            f("dimension", dimension, "coordinates, d", Range<std::int64_t>{1, 1 << 20});
            f("curvature", curvature, "of the first coordinate; 0: d", Range<double>{.low = 0});
            f("noise", noise, "standard deviation of the first coordinate's gradient, in units of its curvature",
              Range<double>{.low = 0});
            f("start", start, "of every coordinate; 0 is the minimum");
            f("rotated", rotated, "w is a (d, d) matrix and x the diagonal of Q^T W Z");
        }
        void check(auto&& error) const {
            if (rotated && dimension > 512) error("/dimension", std::string("at most 512 where rotated"));
        }
    };
    explicit SparseNoise(Options options) : SyntheticProblem(shape_of(options), {}), options_(options) {
        const std::int64_t d = options.dimension;
        steep_ = options.curvature > 0 ? options.curvature : static_cast<double>(d);
        if (options.rotated)
            left_ = random_orthogonal(d, 1, "problem/left"), right_ = random_orthogonal(d, 1, "problem/right");
    }

    std::int64_t gradient_flops(std::int64_t samples) const override {
        return samples * shape().count() * (options_.rotated ? 4 * options_.dimension : 4);
    }

private:
    static Shape shape_of(const Options& o) { return o.rotated ? Shape{o.dimension, o.dimension} : Shape{o.dimension}; }
    Values point(const Values& w) const {
        const std::int64_t d = options_.dimension;
        if (!options_.rotated) {
            Values x = w;
            for (double& value : x) value += options_.start;
            return x;
        }
        Values x(d, options_.start);
        for (std::int64_t i = 0; i < d; ++i)
            for (std::int64_t k = 0; k < d; ++k) {
                double row = 0;
                for (std::int64_t l = 0; l < d; ++l) row += w[k * d + l] * right_[i * d + l];
                x[i] += left_[i * d + k] * row;
            }
        return x;
    }
    // Adds to the gradient for w that for x.
    void add(const Values& of_x, Values& gradient) const {
        const std::int64_t d = options_.dimension;
        for (std::int64_t i = 0; i < d; ++i) {
            if (!options_.rotated)
                gradient[i] += of_x[i];
            else
                for (std::int64_t k = 0; k < d; ++k)
                    for (std::int64_t l = 0; l < d; ++l)
                        gradient[k * d + l] += of_x[i] * left_[i * d + k] * right_[i * d + l];
        }
    }
    double at(const Values& w, double noise, Values& gradient) const {
        Values x = point(w);
        double loss = noise * x[0];
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double curvature = i == 0 ? steep_ : 1;
            loss += curvature * x[i] * x[i] / 2;
            x[i] = curvature * x[i] + (i == 0 ? noise : 0);
        }
        add(x, gradient);
        return loss;
    }

    double objective(const Values& w, Values& gradient) const override { return at(w, 0, gradient); }
    double sample(const Values& w, const Random& random, Values& gradient) const override {
        return at(w, options_.noise * steep_ * random.normal(0), gradient);
    }

    Options options_;
    double steep_;
    Values left_, right_;  // q_i and z_i, a row each
};

const Register<SyntheticProblem, SparseNoise> registered("sparse_noise",
                                                         "a quadratic, steep and noisy in one coordinate");

}  // namespace

}  // namespace steepest
