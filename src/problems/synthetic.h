#pragma once
// Synthetic problems: functions of one parameter "w" whose noise is known, and with it the objective without noise. One
// a file, chosen by "problem" in a config. They are small and computed on the host, in double.
//
// A sample is a number, and all that is random about it a pure function of (seed, number): a sample is the same
// function of the weights wherever it is asked for, at the current weights and at previous ones, in any micro-batch.
#include "core/random.h"
#include "core/registry.h"
#include "model/problem.h"

#include <string>
#include <utility>
#include <vector>

namespace steepest {

class SyntheticProblem : public Problem {
public:
    using Values = std::vector<double>;  // of w or its gradient, row-major
    using Measures = std::vector<std::pair<std::string, double>>;

    // What is so of the objective without noise.
    struct Exact {
        double loss;
        // Of its gradient: gradient_l1, gradient_l2 and, for matrices, gradient_nuclear; and what the problem adds.
        Measures measures;
    };
    Exact exact(std::span<const Tensor> weights) const;

    // What decides the samples' noise.
    void seed_noise(std::uint64_t seed) { noise_seed_ = seed; }

    const std::vector<ParamSpec>& parameters() const override { return specs_; }
    void plan(Layout&, std::int64_t) override {}
    // Throws InputError for a device that is not the host.
    void bind(Device device) override;
    // A sample is a sequence with one target.
    void gradient(std::span<const Tensor> weights, const MicroBatch& batch, std::span<const Tensor> gradients,
                  Tensor loss, float scale, bool accumulate) override;
    void loss(std::span<const Tensor> weights, const MicroBatch& batch, Tensor loss, float scale,
              bool accumulate) override;
    std::int64_t targets_per_sequence() const override { return 1; }

protected:
    SyntheticProblem(Shape shape, Init init);

    // The objective without noise at w; adds its gradient to `gradient`.
    virtual double objective(const Values& w, Values& gradient) const = 0;
    // A sample's loss at w; adds its gradient. All it draws, it draws from `noise`, a stream of its own.
    virtual double sample(const Values& w, const Random& noise, Values& gradient) const = 0;
    virtual void measure(const Values&, Measures&) const {}

    const Shape& shape() const { return specs_[0].shape; }

private:
    // Of the batch's samples, without a factor.
    double sum(const Tensor& weights, const MicroBatch& batch, Values& gradient) const;

    std::vector<ParamSpec> specs_;
    std::uint64_t noise_seed_ = 0;
};

}  // namespace steepest
