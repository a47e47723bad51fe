#include "model/gpt2.h"

#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/gelu.h"
#include "ops/layernorm.h"
#include "ops/matmul.h"
#include "ops/norm.h"

#include <algorithm>

namespace steepest {

namespace {

// The weight or bias with this index, or nothing where the model has none.
Tensor at(std::span<const Tensor> tensors, int index) { return index < 0 ? Tensor{} : tensors[index]; }

}  // namespace

Gpt2::Gpt2(const Gpt2Config& config, DType compute)
    : config_(config),
      table_(gpt2_table(config)),
      compute_(compute),
      recompute_(config.recompute == "block"   ? Recompute::block
                 : config.recompute == "cheap" ? Recompute::cheap
                                               : Recompute::none) {}

void Gpt2::plan(Layout& layout, std::int64_t sequences) {
    const std::int64_t T = config_.context, C = config_.width, V = config_.padded_vocab(), N = sequences * T;
    const auto row = [&](const std::string& name, Tensor* slot, std::int64_t cols) {
        layout.add(name, slot, compute_, {N, cols});
    };
    const auto statistic = [&](const std::string& name, Tensor* slot) { layout.add(name, slot, DType::f32, {N}); };
    // Three tiers: kept under every level, kept unless whole blocks are computed again, kept only without
    // recomputation.
    const auto plan_statistics = [&](const std::string& h, Block& b) {
        statistic(h + "ln_1.mean", &b.ln_1_mean), statistic(h + "ln_1.rstd", &b.ln_1_rstd);
        statistic(h + "ln_2.mean", &b.ln_2_mean), statistic(h + "ln_2.rstd", &b.ln_2_rstd);
    };
    const auto plan_dear = [&](const std::string& h, Block& b) {
        plan_statistics(h, b);
        row(h + "qkv", &b.qkv, 3 * C), row(h + "attention", &b.attention, C);
        layout.add(h + "lse", &b.lse, DType::f32, {sequences, config_.heads, T});
        row(h + "middle", &b.middle, C), row(h + "preactivation", &b.preactivation, 4 * C);
    };
    const auto plan_cheap = [&](const std::string& h, Block& b) {
        row(h + "ln_1", &b.ln_1, C), row(h + "ln_2", &b.ln_2, C), row(h + "hidden", &b.hidden, 4 * C);
    };

    blocks_.assign(config_.layers, {});
    for (int l = 0; l < config_.layers; ++l) {
        const std::string h = "h." + std::to_string(l) + ".";
        row(h + "stream", &blocks_[l].stream, C);
        if (recompute_ != Recompute::block) plan_dear(h, blocks_[l]);
        if (recompute_ == Recompute::none) plan_cheap(h, blocks_[l]);
    }
    if (recompute_ == Recompute::block) plan_dear("shared.", shared_);
    if (recompute_ != Recompute::none) plan_cheap("shared.", shared_);

    row("stream", &stream_, C), row("ln_f", &ln_f_, C);
    statistic("ln_f.mean", &ln_f_mean_), statistic("ln_f.rstd", &ln_f_rstd_);
    row("projection", &projection_, C);
    row("d_stream", &d_stream_, C), row("d_narrow", &d_narrow_, C);
    const std::int64_t wide = layout.mark();
    row("d_qkv", &d_qkv_, 3 * C);
    layout.rewind(wide);
    row("d_wide", &d_wide_, 4 * C);

    // Each chunk reads and writes the whole gradient of the head once more, so large batches get few: at most eight.
    constexpr std::int64_t kLogits = std::int64_t{1} << 25, kMostChunks = 8;
    const std::int64_t most = config_.head_rows > 0
                                  ? config_.head_rows
                                  : std::max({std::int64_t{1}, kLogits / V, (N + kMostChunks - 1) / kMostChunks});
    const std::int64_t chunks = (N + most - 1) / most;
    layout.add("logits", &logits_, compute_, {(N + chunks - 1) / chunks, V});
    layout.add("losses", &losses_, DType::f32, {N});

    bias_gradients_.assign(table_.specs.size(), {});
    for (const Gpt2Layer& p : table_.layers)
        for (const int bias : {p.qkv_bias, p.attention_proj_bias, p.fc_bias, p.mlp_proj_bias})
            if (bias >= 0)
                layout.add(table_.specs[bias].name + "/micro_batch", &bias_gradients_[bias], DType::f32,
                           table_.specs[bias].shape);
}

Tensor Gpt2::rows_of(const Tensor& planned) const {
    return planned.shape.rank() == 1 ? Tensor(planned.data, planned.dtype, {B_ * T_}) : planned.rows(0, B_ * T_);
}

void Gpt2::norm(Weights w, int weight, int bias, Tensor y, Tensor mean, Tensor rstd, ConstTensor x,
                ConstTensor residual, Tensor sum) {
    run(device_, LayerNormForward{.y = y,
                                  .mean = mean,
                                  .rstd = rstd,
                                  .sum = sum,
                                  .x = x,
                                  .residual = residual,
                                  .weight = w[weight],
                                  .bias = at(w, bias)});
}

void Gpt2::linear(Weights w, int weight, int bias, Tensor y, ConstTensor x, Tensor preactivation) {
    run(device_,
        LinearForward{.y = y, .preactivation = preactivation, .x = x, .weight = w[weight], .bias = at(w, bias)});
}

void Gpt2::forward(Weights w, const MicroBatch& batch) {
    B_ = batch.inputs.shape[0], T_ = batch.inputs.shape[1];
    const std::int64_t C = config_.width;
    if (recompute_ != Recompute::none)
        for (Block& b : blocks_) {
            b.ln_1 = shared_.ln_1, b.ln_2 = shared_.ln_2, b.hidden = shared_.hidden;
            if (recompute_ == Recompute::cheap) continue;
            const Tensor stream = b.stream;
            b = shared_;
            b.stream = stream;
        }

    for (std::size_t l = 0; l < blocks_.size(); ++l) {
        const Gpt2Layer& p = table_.layers[l];
        const Block& b = blocks_[l];
        const Tensor ln_1 = rows_of(b.ln_1), mean = rows_of(b.ln_1_mean), rstd = rows_of(b.ln_1_rstd);
        if (l == 0) {
            run(device_, EmbeddingForward{.y = rows_of(b.stream).reshaped({B_, T_, C}),
                                          .tokens = batch.inputs,
                                          .wte = w[table_.wte],
                                          .wpe = w[table_.wpe]});
            norm(w, p.ln_1, p.ln_1_bias, ln_1, mean, rstd, rows_of(b.stream));
        } else {
            norm(w, p.ln_1, p.ln_1_bias, ln_1, mean, rstd, rows_of(projection_), rows_of(blocks_[l - 1].middle),
                 rows_of(b.stream));
        }
        block_forward(w, p, b);
        linear(w, p.mlp_proj, p.mlp_proj_bias, rows_of(projection_), rows_of(b.hidden));
    }
    norm(w, table_.ln_f, table_.ln_f_bias, rows_of(ln_f_), rows_of(ln_f_mean_), rows_of(ln_f_rstd_),
         rows_of(projection_), rows_of(blocks_.back().middle), rows_of(stream_));
}

// From the first norm's output to the hidden layer of the MLP.
void Gpt2::block_forward(Weights w, const Gpt2Layer& p, const Block& b) {
    const std::int64_t C = config_.width;
    linear(w, p.qkv, p.qkv_bias, rows_of(b.qkv), rows_of(b.ln_1));
    run(device_, AttentionForward{.out = rows_of(b.attention).reshaped({B_, T_, C}),
                                  .lse = {b.lse.data, DType::f32, {B_, config_.heads, T_}},
                                  .qkv = rows_of(b.qkv).reshaped({B_, T_, 3 * C}),
                                  .heads = config_.heads});
    linear(w, p.attention_proj, p.attention_proj_bias, rows_of(projection_), rows_of(b.attention));
    norm(w, p.ln_2, p.ln_2_bias, rows_of(b.ln_2), rows_of(b.ln_2_mean), rows_of(b.ln_2_rstd), rows_of(projection_),
         rows_of(b.stream), rows_of(b.middle));
    linear(w, p.fc, p.fc_bias, rows_of(b.hidden), rows_of(b.ln_2), rows_of(b.preactivation));
}

// Brings back what the forward pass of later blocks has overwritten: the same ops on the same inputs, so the same bits.
void Gpt2::restore(Weights w, const Gpt2Layer& p, const Block& b) {
    if (recompute_ == Recompute::none) return;
    norm(w, p.ln_1, p.ln_1_bias, rows_of(b.ln_1), rows_of(b.ln_1_mean), rows_of(b.ln_1_rstd), rows_of(b.stream));
    if (recompute_ == Recompute::block) return block_forward(w, p, b);
    norm(w, p.ln_2, p.ln_2_bias, rows_of(b.ln_2), rows_of(b.ln_2_mean), rows_of(b.ln_2_rstd), rows_of(b.middle));
    run(device_, GeluForward{.y = rows_of(b.hidden), .x = rows_of(b.preactivation)});
}

void Gpt2::head(Weights w, const MicroBatch& batch, std::span<const Tensor> gradients, float scale, bool accumulate) {
    const std::int64_t N = B_ * T_, chunk = logits_.shape.rows();
    const ConstTensor targets = batch.targets.reshaped({N, 1});
    for (std::int64_t n = 0; n < N; n += chunk) {
        const std::int64_t rows = std::min(chunk, N - n);
        const Tensor logits = logits_.rows(0, rows), x = ln_f_.rows(n, rows);
        const Tensor losses(static_cast<float*>(losses_.data) + n, DType::f32, {rows});
        linear(w, table_.head, -1, logits, x);
        run(device_, CrossEntropy{.loss = losses,
                                  .dlogits = gradients.empty() ? Tensor{} : logits,
                                  .logits = logits,
                                  .targets = targets.rows(n, rows),
                                  .vocab = config_.vocab,
                                  .scale = scale});
        if (gradients.empty()) continue;
        run(device_, LinearBackwardWeight{
                         .dweight = gradients[table_.head], .dy = logits, .x = x, .accumulate = accumulate || n > 0});
        run(device_, LinearBackwardInput{.dx = d_narrow_.rows(n, rows), .dy = logits, .weight = w[table_.head]});
    }
}

void Gpt2::loss(Weights w, const MicroBatch& batch, Tensor loss, float scale, bool accumulate) {
    forward(w, batch);
    head(w, batch, {}, scale, false);
    run(device_, Sum{.total = loss, .values = rows_of(losses_), .scale = scale, .accumulate = accumulate});
}

void Gpt2::gradient(Weights w, const MicroBatch& batch, std::span<const Tensor> g, Tensor loss, float scale,
                    bool accumulate) {
    forward(w, batch);
    head(w, batch, g, scale, accumulate);
    run(device_, Sum{.total = loss, .values = rows_of(losses_), .scale = scale, .accumulate = accumulate});

    run(device_, LayerNormBackward{.dx = rows_of(d_stream_),
                                   .dweight = g[table_.ln_f],
                                   .dbias = at(g, table_.ln_f_bias),
                                   .dy = rows_of(d_narrow_),
                                   .x = rows_of(stream_),
                                   .weight = w[table_.ln_f],
                                   .mean = rows_of(ln_f_mean_),
                                   .rstd = rows_of(ln_f_rstd_),
                                   .accumulate = accumulate});
    for (std::size_t l = blocks_.size(); l-- > 0;) {
        restore(w, table_.layers[l], blocks_[l]);
        block_backward(w, table_.layers[l], blocks_[l], g, accumulate);
    }
    if (accumulate) add_bias_gradients(g);
    // An untied embedding has no gradient yet; a tied one has the head's.
    if (!config_.tied && !accumulate) fill_zero(device_, g[table_.wte].data, g[table_.wte].bytes());
    run(device_, EmbeddingBackward{.dwte = g[table_.wte],
                                   .dwpe = g[table_.wpe],
                                   .dy = rows_of(d_stream_).reshaped({B_, T_, config_.width}),
                                   .tokens = batch.inputs,
                                   .accumulate = accumulate});
}

void Gpt2::add_bias_gradients(std::span<const Tensor> g) {
    AddScaled op{};
    for (std::size_t i = 0; i < bias_gradients_.size(); ++i)
        if (bias_gradients_[i]) op.x.push_back(g[i]), op.y.push_back(bias_gradients_[i]);
    if (!op.x.empty()) run(device_, op);
}

// d_stream_ holds the gradient of the block's output and becomes that of its input.
void Gpt2::block_backward(Weights w, const Gpt2Layer& p, const Block& b, std::span<const Tensor> g, bool accumulate) {
    const std::int64_t C = config_.width;
    const Tensor d_stream = rows_of(d_stream_), d_narrow = rows_of(d_narrow_), d_wide = rows_of(d_wide_),
                 d_qkv = rows_of(d_qkv_);
    const std::span<const Tensor> biases = accumulate ? std::span<const Tensor>(bias_gradients_) : g;
    const auto weight_gradient = [&](int weight, int bias, ConstTensor dy, ConstTensor x) {
        run(device_, LinearBackwardWeight{
                         .dweight = g[weight], .dbias = at(biases, bias), .dy = dy, .x = x, .accumulate = accumulate});
    };
    const auto norm_backward = [&](int weight, int bias, ConstTensor x, Tensor mean, Tensor rstd) {
        run(device_, LayerNormBackward{.dx = d_stream,
                                       .dweight = g[weight],
                                       .dbias = at(g, bias),
                                       .dy = d_narrow,
                                       .x = x,
                                       .weight = w[weight],
                                       .mean = rows_of(mean),
                                       .rstd = rows_of(rstd),
                                       .residual = d_stream,
                                       .accumulate = accumulate});
    };

    weight_gradient(p.mlp_proj, p.mlp_proj_bias, d_stream, rows_of(b.hidden));
    run(device_, LinearBackwardInput{
                     .dx = d_wide, .dy = d_stream, .weight = w[p.mlp_proj], .preactivation = rows_of(b.preactivation)});
    weight_gradient(p.fc, p.fc_bias, d_wide, rows_of(b.ln_2));
    run(device_, LinearBackwardInput{.dx = d_narrow, .dy = d_wide, .weight = w[p.fc]});
    norm_backward(p.ln_2, p.ln_2_bias, rows_of(b.middle), b.ln_2_mean, b.ln_2_rstd);

    weight_gradient(p.attention_proj, p.attention_proj_bias, d_stream, rows_of(b.attention));
    run(device_, LinearBackwardInput{.dx = d_narrow, .dy = d_stream, .weight = w[p.attention_proj]});
    run(device_, AttentionBackward{.dqkv = d_qkv.reshaped({B_, T_, 3 * C}),
                                   .dout = d_narrow.reshaped({B_, T_, C}),
                                   .out = rows_of(b.attention).reshaped({B_, T_, C}),
                                   .lse = Tensor(b.lse.data, DType::f32, {B_, config_.heads, T_}),
                                   .qkv = rows_of(b.qkv).reshaped({B_, T_, 3 * C}),
                                   .heads = config_.heads});
    weight_gradient(p.qkv, p.qkv_bias, d_qkv, rows_of(b.ln_1));
    run(device_, LinearBackwardInput{.dx = d_narrow, .dy = d_qkv, .weight = w[p.qkv]});
    norm_backward(p.ln_1, p.ln_1_bias, rows_of(b.stream), b.ln_1_mean, b.ln_1_rstd);
}

std::int64_t Gpt2::gradient_flops(std::int64_t sequences) const {
    const std::int64_t T = config_.context, C = config_.width, L = config_.layers;
    const std::int64_t linear = 2 * T * (L * 12 * C * C + config_.padded_vocab() * C),
                       attention = 2 * L * C * T * (T + 1);
    // Twice the forward pass for the two gradients of each product.
    return 3 * sequences * (linear + attention);
}

void Gpt2::next_token_logits(Weights w, ConstTensor tokens, Tensor logits) {
    forward(w, {.inputs = tokens, .targets = {}});
    linear(w, table_.head, -1, logits.reshaped({1, config_.padded_vocab()}), ln_f_.rows(B_ * T_ - 1, 1));
}

}  // namespace steepest
