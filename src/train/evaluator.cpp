#include "train/evaluator.h"

#include "core/error.h"

#include <algorithm>

namespace steepest {

Evaluator::Evaluator(Problem& problem, const Dataset& dataset, std::int64_t sequences, std::int64_t at_once)
    : problem_(problem),
      loader_(dataset, 0, Order::sequential),
      sequences_(sequences),
      at_once_(std::min(sequences, at_once)),
      host_inputs_(at_once_ * problem.targets_per_sequence()),
      host_targets_(host_inputs_.size()) {
    if (sequences > dataset.sample_count())
        throw InputError("/evaluation/tokens asks for " + std::to_string(sequences) +
                         " sequences of held-out data; there are " + std::to_string(dataset.sample_count()) + " (" +
                         dataset.describe() + ")");
}

void Evaluator::plan(Layout& scratch) {
    const std::int64_t T = problem_.targets_per_sequence();
    scratch.add("evaluation/inputs", &inputs_, DType::i32, {at_once_, T});
    scratch.add("evaluation/targets", &targets_, DType::i32, {at_once_, T});
    scratch.add("evaluation/loss", &loss_, DType::f32, {1});
}

double Evaluator::loss(std::span<const Tensor> weights) {
    const std::int64_t T = problem_.targets_per_sequence();
    double total = 0;
    for (std::int64_t at = 0; at < sequences_; at += at_once_) {
        const std::int64_t n = std::min(at_once_, sequences_ - at);
        const Batch host{.inputs = Tensor(host_inputs_.data(), DType::i32, {n, T}),
                         .targets = Tensor(host_targets_.data(), DType::i32, {n, T})};
        loader_.gather(at, host);
        const Tensor inputs(inputs_.data, DType::i32, {n, T}), targets(targets_.data, DType::i32, {n, T});
        copy_to_device(device_, inputs.data, host_inputs_.data(), inputs.bytes());
        copy_to_device(device_, targets.data, host_targets_.data(), targets.bytes());
        float sum = 0;
        problem_.loss(weights, {.inputs = inputs, .targets = targets, .first_sample = at}, loss_, 1, false);
        copy_to_host(device_, &sum, loss_.data, sizeof sum);
        total += sum;
    }
    return total / static_cast<double>(tokens());
}

}  // namespace steepest
