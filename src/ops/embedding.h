#pragma once
// Token and position embedding of GPT-2 (Radford et al. 2019): the start of the residual stream, and its gradient.
#include "ops/op.h"

namespace steepest {

// y[b, t] = wte[tokens[b, t]] + wpe[t]
//
//   y        (B, T, C)   f32 or bf16
//   tokens   (B, T)      i32, each in [0, rows of wte)
//   wte      (Vp, C)     the dtype of y
//   wpe      (>= T, C)   the dtype of y
struct EmbeddingForward {
    static constexpr std::string_view name = "EmbeddingForward";

    Tensor y;
    ConstTensor tokens, wte, wpe;

    void check() const {
        const auto B = y.shape[0], T = y.shape[1], C = y.shape[2];
        require(y.shape.rank() == 3 && is_float(y.dtype), name, "y must be (B, T, C), f32 or bf16");
        require(tokens.shape == Shape({B, T}) && tokens.dtype == DType::i32, name, "tokens must be (B, T) i32");
        require(wte.shape.cols() == C && wte.dtype == y.dtype, name, "wte must be (Vp, C) of y's dtype");
        require(wpe.shape.rows() >= T && wpe.shape.cols() == C && wpe.dtype == y.dtype, name,
                "wpe must have a row of C for each position, of y's dtype");
    }
    void tensors(auto&& visit) const { visit("y", y), visit("tokens", tokens), visit("wte", wte), visit("wpe", wpe); }
};
void run(Cpu&, const EmbeddingForward&);
void run(Cuda&, const EmbeddingForward&);

// dwte[v] += sum of dy[b, t] over tokens[b, t] == v, in the order of (b, t);   dwpe[t] (+)= sum over b of dy[b, t].
// Deterministic: no atomics, each row is summed by one worker in a fixed order.
//
//   dwte     (Vp, C)     f32, always added to: with a tied head its gradient is there already
//   dwpe     (>= T, C)   f32; rows past T are set to zero unless accumulating
//   dy       (B, T, C)   f32 or bf16
//   tokens   (B, T)      i32
struct EmbeddingBackward {
    static constexpr std::string_view name = "EmbeddingBackward";

    Tensor dwte, dwpe;
    ConstTensor dy, tokens;
    bool accumulate = false;  // add to dwpe instead of overwriting it

    void check() const {
        const auto B = dy.shape[0], T = dy.shape[1], C = dy.shape[2];
        require(dy.shape.rank() == 3 && is_float(dy.dtype), name, "dy must be (B, T, C), f32 or bf16");
        require(tokens.shape == Shape({B, T}) && tokens.dtype == DType::i32, name, "tokens must be (B, T) i32");
        require(dwte.shape.cols() == C && dwte.dtype == DType::f32, name, "dwte must be (Vp, C) f32");
        require(dwpe.shape.rows() >= T && dwpe.shape.cols() == C && dwpe.dtype == DType::f32, name,
                "dwpe must be (>= T, C) f32");
    }
    void tensors(auto&& visit) const {
        visit("dwte", dwte), visit("dwpe", dwpe), visit("dy", dy), visit("tokens", tokens);
    }
};
void run(Cpu&, const EmbeddingBackward&);
void run(Cuda&, const EmbeddingBackward&);

}  // namespace steepest
