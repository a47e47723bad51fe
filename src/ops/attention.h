#pragma once
// Causal multi-head self-attention without a (T, T) matrix in memory, forward and backward.
// Vaswani et al. 2017, arXiv:1706.03762, eq. 1; tiled with running statistics: Dao et al. 2022, arXiv:2205.14135,
// algorithms 1, 4.
#include "ops/op.h"

namespace steepest {

// For each sequence b and head h, with q, k, v (T, D) its columns of qkv, D = C / heads:
//   s[i, j] = q[i] . k[j] / sqrt(D) for j <= i;   lse[i] = log sum_j exp(s[i, j]);   out[i] = sum_j exp(s[i, j] -
//   lse[i]) v[j]
//
//   out   (B, T, C)    f32 or bf16; head h in columns [h D, (h + 1) D)
//   lse   (B, H, T)    f32, kept for the backward pass
//   qkv   (B, T, 3 C)  the dtype of out: q in the first C columns, then k, then v
//
// Scores, statistics and sums are f32; probabilities and ds (below) may be rounded to the dtype before a
// product.
struct AttentionForward {
    static constexpr std::string_view name = "AttentionForward";

    Tensor out, lse;
    ConstTensor qkv;
    int heads;

    void check() const {
        const auto B = out.shape[0], T = out.shape[1], C = out.shape[2];
        require(out.shape.rank() == 3 && is_float(out.dtype), name, "out must be (B, T, C), f32 or bf16");
        require(heads > 0 && C % heads == 0, name, "heads must divide C");
        require(qkv.shape == Shape({B, T, 3 * C}) && qkv.dtype == out.dtype, name,
                "qkv must be (B, T, 3C) of out's dtype");
        require(lse.shape == Shape({B, heads, T}) && lse.dtype == DType::f32, name, "lse must be (B, H, T) f32");
    }
    void tensors(auto&& visit) const { visit("out", out), visit("lse", lse), visit("qkv", qkv); }
    std::int64_t flops() const { return 2 * out.shape.count() * (out.shape[1] + 1); }
};
void run(Cpu&, const AttentionForward&);
void run(Cuda&, const AttentionForward&);

// Gradient of the above with respect to qkv, recomputing the probabilities from lse:
//   dv[j] = sum_i p[i, j] dout[i];   ds[i, j] = p[i, j] (dout[i] . v[j] - dout[i] . out[i]);
//   dq[i] = sum_j ds[i, j] k[j] / sqrt(D);   dk[j] = sum_i ds[i, j] q[i] / sqrt(D)
// Deterministic: no atomics, fixed order of sums. dqkv is overwritten.
struct AttentionBackward {
    static constexpr std::string_view name = "AttentionBackward";

    Tensor dqkv;
    ConstTensor dout, out, lse, qkv;
    int heads;

    void check() const {
        const auto B = out.shape[0], T = out.shape[1], C = out.shape[2];
        require(out.shape.rank() == 3 && is_float(out.dtype), name, "out must be (B, T, C), f32 or bf16");
        require(heads > 0 && C % heads == 0, name, "heads must divide C");
        require(dout.shape == out.shape && dout.dtype == out.dtype, name, "dout must match out");
        require(qkv.shape == Shape({B, T, 3 * C}) && qkv.dtype == out.dtype, name,
                "qkv must be (B, T, 3C) of out's dtype");
        require(dqkv.shape == qkv.shape && dqkv.dtype == qkv.dtype, name, "dqkv must match qkv");
        require(lse.shape == Shape({B, heads, T}) && lse.dtype == DType::f32, name, "lse must be (B, H, T) f32");
    }
    void tensors(auto&& visit) const {
        visit("dqkv", dqkv), visit("dout", dout), visit("out", out), visit("lse", lse), visit("qkv", qkv);
    }
    std::int64_t flops() const { return 5 * out.shape.count() * (out.shape[1] + 1); }
};
void run(Cpu&, const AttentionBackward&);
void run(Cuda&, const AttentionBackward&);

}  // namespace steepest
