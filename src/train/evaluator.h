#pragma once
// Validation: the mean loss over the first sequences of the held-out data, the same ones each time.
#include "core/memory.h"
#include "data/loader.h"
#include "model/problem.h"

#include <cstdint>
#include <vector>

namespace steepest {

class Evaluator {
public:
    // `sequences` in all, `at_once` at a time. The references must outlive the evaluator.
    Evaluator(Problem& problem, const Dataset& dataset, std::int64_t sequences, std::int64_t at_once);
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    void plan(Layout& scratch);
    void bind(Device device) { device_ = device; }
    std::int64_t tokens() const { return sequences_ * problem_.targets_per_sequence(); }
    // In nats a token.
    double loss(std::span<const Tensor> weights);

private:
    Problem& problem_;
    Loader loader_;
    std::int64_t sequences_, at_once_;
    Device device_{};
    Tensor inputs_, targets_, loss_;
    std::vector<std::int32_t> host_inputs_, host_targets_;
};

}  // namespace steepest
