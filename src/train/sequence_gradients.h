#pragma once
// The gradient of differential privacy: each sequence's own, cut for each parameter to a Frobenius norm, summed, with
// noise, over the batch:
//   G = (sum of g(z) / max(1, ||g(z)|| / C) + sigma C N(0, 1)) / B,   g(z) the gradient of a sequence's mean loss
// Kim, Fan 2026, arXiv:2605.12994 (DP-Muon); Abadi et al. 2016, arXiv:1607.00133, algorithm 1, cuts all parameters as
// one. A sequence changes each parameter's sum by at most C: of n parameters that is a sensitivity of sqrt(n) C, and an
// accountant wants the noise over that. What keyed noise is good for, see PrivacyConfig.
#include "core/scalars.h"
#include "optim/binding.h"
#include "optim/oracle_config.h"

#include <functional>
#include <span>
#include <vector>

namespace steepest {

class SequenceGradients {
public:
    // `specs` must outlive it.
    SequenceGradients(const PrivacyConfig& config, std::span<const ParamSpec> specs, std::uint64_t seed);
    SequenceGradients(const SequenceGradients&) = delete;
    SequenceGradients& operator=(const SequenceGradients&) = delete;

    void plan(Layout& gradients, Layout& scratch, StepScalars& scalars);
    void bind(Device device) { binding_.bind(device); }
    void begin_step(std::int64_t step) { step_.set(static_cast<double>(step)); }

    // into = the sum over `sequences` of gradients cut to C, over `sequences`. gradient(i, to) overwrites `to` with
    // that of sequence i.
    using Gradient = std::function<void(std::int64_t sequence, const TensorList& to)>;
    void sum(const TensorList& into, std::int64_t sequences, const Gradient& gradient) const;
    // into += the noise of a batch, the same on every rank.
    void add_noise(const TensorList& into, std::int64_t batch) const;

private:
    PrivacyConfig config_;
    std::vector<Member> members_;
    Binding binding_;
    TensorList one_;  // a sequence's gradient, then the noise
    Tensor sums_;
    Scalar step_;
};

}  // namespace steepest
