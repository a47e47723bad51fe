#pragma once
// Updates whose gradients are taken between a fast point and its running average: schedule-free optimizers.
#include "ops/elementwise.h"

namespace steepest {

// With y the weights, z the fast point, x = (y - (1 - mix) z) / mix the average:
//   z = z - learning_rate * weight_decay * (y or z) - learning_rate * factors[i] * direction
//   x = (1 - share) x + share z;   y = (1 - next_mix) z + next_mix x;   copy = y rounded to its dtype
// Defazio et al. 2024, arXiv:2405.15682, eqs. 2 to 4.
//
//   copies        as of WeightUpdate
//   mix           how y was made; above 0
//   decay_fast    decay is of z; else of y
struct AveragedUpdate {
    static constexpr std::string_view name = "AveragedUpdate";

    TensorList weights, fast, copies, directions;
    std::vector<float> factors;
    ConstTensor learning_rate, weight_decay, mix, next_mix, share;
    bool decay_fast;
    ConstTensor gate = {};

    void check() const {
        require_matching(weights, directions, name, "weights and directions must match");
        require_matching(weights, fast, name, "weights and fast points must match");
        require(copies.empty() || copies.size() == weights.size(), name, "one copy a weight, or none");
        for (std::size_t i = 0; i < copies.size(); ++i)
            require(!copies[i] || copies[i].count() == weights[i].count(), name, "copies must match their weights");
        require(factors.size() == weights.size(), name, "one factor a weight");
        for (const ConstTensor* t : {&learning_rate, &weight_decay, &mix, &next_mix, &share})
            require_scalar(*t, name, "scalars must be one f32 each");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : weights) visit("weight", t);
        for (const Tensor& t : fast) visit("fast", t);
        for (const Tensor& t : copies) visit("copy", t);
        for (const Tensor& t : directions) visit("direction", t);
    }
};
void run(Cpu&, const AveragedUpdate&);
void run(Cuda&, const AveragedUpdate&);

// to = (y - (1 - mix) z) / mix: the average that the points of AveragedUpdate hold.
//
//   to     f32 or bf16
//   y, z   f32
struct AveragePoint {
    static constexpr std::string_view name = "AveragePoint";

    TensorList to, y, z;
    ConstTensor mix;

    void check() const {
        require_matching(y, z, name, "y and z must match");
        bool ok = to.size() == y.size();
        for (std::size_t i = 0; ok && i < to.size(); ++i) ok = to[i].count() == y[i].count() && is_float(to[i].dtype);
        require(ok, name, "to must match y");
        require_scalar(mix, name, "mix must be one f32");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : to) visit("to", t);
        for (const Tensor& t : y) visit("y", t);
        for (const Tensor& t : z) visit("z", t);
    }
};
void run(Cpu&, const AveragePoint&);
void run(Cuda&, const AveragePoint&);

}  // namespace steepest
