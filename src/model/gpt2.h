#pragma once
// GPT-2, forward and backward by hand, as a list of ops. Radford et al. 2019; sizes in gpt2_config.h.
//
// Pre-LayerNorm blocks on a residual stream; each norm also does the residual add before it. Logits exist only for a
// chunk of rows at a time, attention scores never; activations live in planned memory and are overwritten each
// micro-batch.
#include "model/gpt2_params.h"
#include "model/problem.h"

#include <string>
#include <vector>

namespace steepest {

class Gpt2 final : public Problem {
public:
    // `compute` is the dtype of weight copies, activations and products: f32 or bf16.
    Gpt2(const Gpt2Config& config, DType compute);

    const std::vector<ParamSpec>& parameters() const override { return table_.specs; }
    void plan(Layout& activations, std::int64_t sequences) override;
    void bind(Device device) override { device_ = device; }
    void gradient(std::span<const Tensor> weights, const MicroBatch& batch, std::span<const Tensor> gradients,
                  Tensor loss, float scale, bool accumulate) override;
    void loss(std::span<const Tensor> weights, const MicroBatch& batch, Tensor loss, float scale,
              bool accumulate) override;
    std::int64_t gradient_flops(std::int64_t sequences) const override;
    std::int64_t targets_per_sequence() const override { return config_.context; }

    // Logits after the last of `tokens` (1, t), t <= context.   logits (Vp) f32; columns from vocab on mean nothing.
    void next_token_logits(std::span<const Tensor> weights, ConstTensor tokens, Tensor logits);

private:
    using Weights = std::span<const Tensor>;
    enum class Recompute { none, cheap, block };

    // What a block leaves for its backward pass. With recomputation, blocks share all but `stream` (and what is cheap
    // to keep).
    struct Block {
        Tensor stream;  // the residual stream at the block's input
        Tensor ln_1, ln_1_mean, ln_1_rstd, qkv, attention, lse;
        Tensor middle;  // the residual stream between attention and MLP
        Tensor ln_2, ln_2_mean, ln_2_rstd, preactivation, hidden;
    };

    // Views of planned tensors for the sequences at hand.
    Tensor rows_of(const Tensor& planned) const;

    void forward(Weights w, const MicroBatch& batch);
    void block_forward(Weights w, const Gpt2Layer& p, const Block& b);
    void restore(Weights w, const Gpt2Layer& p, const Block& b);
    void block_backward(Weights w, const Gpt2Layer& p, const Block& b, std::span<const Tensor> g, bool accumulate);
    void add_bias_gradients(std::span<const Tensor> g);
    // Cross-entropy over chunks of rows, with its gradient where `gradients` is not empty; fills losses_.
    void head(Weights w, const MicroBatch& batch, std::span<const Tensor> gradients, float scale, bool accumulate);
    void norm(Weights w, int weight, int bias, Tensor y, Tensor mean, Tensor rstd, ConstTensor x,
              ConstTensor residual = {}, Tensor sum = {});
    void linear(Weights w, int weight, int bias, Tensor y, ConstTensor x, Tensor preactivation = {});

    Gpt2Config config_;
    Gpt2Table table_;
    DType compute_;
    Recompute recompute_;
    Device device_{};

    std::vector<Block> blocks_;  // one a layer
    Block shared_;               // what layers share under recomputation
    Tensor stream_, ln_f_, ln_f_mean_, ln_f_rstd_;
    Tensor projection_;                    // (N, C) output of a block's two projections
    Tensor d_stream_, d_narrow_, d_wide_;  // gradients: (N, C), (N, C), (N, 4C)
    Tensor d_qkv_;                         // (N, 3C), in the memory of d_wide_
    Tensor logits_, losses_;               // (head_rows, Vp), (N)
    // By parameter, of biases of products: gradients of a micro-batch after the first, until all are added at once.
    std::vector<Tensor> bias_gradients_;
    std::int64_t B_ = 0, T_ = 0;  // of the micro-batch at hand
};

}  // namespace steepest
