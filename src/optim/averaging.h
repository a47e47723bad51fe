#pragma once
// Averaging: whether a group's weights are the point that steps are taken from, or lie between a fast point and its
// average, which is what is evaluated, sampled from and exported. One object a parameter group, chosen by "averaging"
// in a config; plugins lie in averaging/, a file each.
#include <cstdint>
#include <functional>

namespace steepest {

class Averaging {
public:
    virtual ~Averaging() = default;
    // False: there is one point, and nothing else is asked.
    virtual bool averages() const { return true; }
    // True: weight decay is of the fast point; false: of the point at which gradients are taken.
    virtual bool decays_fast_point() const { return false; }
    // Of the fast point in the average that step `step` (from 1) makes: a function of the learning rates up to it.
    virtual double share(std::int64_t step, const std::function<double(std::int64_t)>& learning_rate) = 0;
    // Of the average in the point at which the gradient of `step` is taken: in (0, 1].
    virtual double mix(std::int64_t step) const = 0;
};

}  // namespace steepest
