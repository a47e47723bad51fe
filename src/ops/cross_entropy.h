#pragma once
// Softmax cross-entropy of a chunk of rows of logits, loss and gradient in one visit.
#include "ops/op.h"

namespace steepest {

//   loss[n]       = log sum_{v < vocab} exp(logits[n, v]) - logits[n, targets[n]]
//   dlogits[n, v] = scale * (softmax(logits[n])[v] - [v == targets[n]]) for v < vocab, and 0 for the padding columns
//
//   loss      (N)      f32
//   dlogits   (N, Vp)  the dtype of logits; optional; may alias logits
//   logits    (N, Vp)  f32 or bf16; columns from `vocab` on are padding, never read
//   targets   (N)      i32, each in [0, vocab)
//
// Computed in f32.
struct CrossEntropy {
    static constexpr std::string_view name = "CrossEntropy";

    Tensor loss;
    Tensor dlogits = {};
    ConstTensor logits, targets;
    std::int64_t vocab;
    float scale = 1;  // d(objective) / d(loss[n]), e.g. 1 / (tokens of the step)

    void check() const {
        const auto N = logits.shape.rows();
        require(is_float(logits.dtype), name, "logits must be f32 or bf16");
        require(loss.count() == N && loss.dtype == DType::f32, name, "loss must be (N) f32");
        require(targets.count() == N && targets.dtype == DType::i32, name, "targets must be (N) i32");
        require(vocab > 0 && vocab <= logits.shape.cols(), name, "vocab must be in [1, Vp]");
        require(!dlogits || (dlogits.shape == logits.shape && dlogits.dtype == logits.dtype), name,
                "dlogits must match logits");
    }
    void tensors(auto&& visit) const {
        visit("loss", loss), visit("dlogits", dlogits), visit("logits", logits), visit("targets", targets);
    }
};
void run(Cpu&, const CrossEntropy&);
void run(Cuda&, const CrossEntropy&);

}  // namespace steepest
