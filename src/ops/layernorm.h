#pragma once
// LayerNorm over the last dimension, forward (alone, or fused with the residual add before it) and backward.
// Ba, Kiros, Hinton 2016, arXiv:1607.06450, eq. 4; variance without Bessel's correction, as GPT-2 does.
#include "ops/op.h"

namespace steepest {

// sum = x + residual (or x, without a residual);   y = (sum - mean) * rstd * weight + bias,   rstd = 1 / sqrt(var +
// eps)
//
//   y, x, residual, sum   (..., C)  f32 or bf16, all the same; sum may alias x or residual
//   weight, bias          (C)       f32; bias optional
//   mean, rstd            (...)     f32, kept for LayerNormBackward
//
// residual and sum come together or not at all. The sum is rounded to the dtype of `sum`, and the statistics are those
// of the rounded sum, which the backward pass reads. Statistics and the affine map are f32; only the store to y rounds.
struct LayerNormForward {
    static constexpr std::string_view name = "LayerNormForward";

    Tensor y, mean, rstd;
    Tensor sum = {};
    ConstTensor x;
    ConstTensor residual = {};
    ConstTensor weight;
    ConstTensor bias = {};
    float eps = 1e-5f;  // added to the variance, in units of x squared

    void check() const {
        const auto C = x.shape.cols();
        require(is_float(x.dtype) && y.shape == x.shape && y.dtype == x.dtype, name, "y must match x");
        require(bool(sum) == bool(residual), name, "sum and residual come together");
        require(!sum || (sum.shape == x.shape && sum.dtype == x.dtype), name, "sum must match x");
        require(!residual || (residual.shape == x.shape && residual.dtype == x.dtype), name, "residual must match x");
        require(weight.count() == C && weight.dtype == DType::f32, name, "weight must be (C) f32");
        require(!bias || (bias.count() == C && bias.dtype == DType::f32), name, "bias must be (C) f32");
        require(mean.count() == x.shape.rows() && rstd.count() == x.shape.rows(), name,
                "mean and rstd need one value a row");
    }
    void tensors(auto&& visit) const {
        visit("y", y), visit("mean", mean), visit("rstd", rstd), visit("sum", sum);
        visit("x", x), visit("residual", residual), visit("weight", weight), visit("bias", bias);
    }
};
void run(Cpu&, const LayerNormForward&);
void run(Cuda&, const LayerNormForward&);

// Given dy and the forward pass's input x (its `sum` if it had a residual), per row, with n = (x - mean) * rstd, g = dy
// * weight:
//   dx      = residual + rstd * (g - mean(g) - n * mean(g * n))        residual is zero if not given
//   dweight (+)= sum over rows of dy * n
//   dbias   (+)= sum over rows of dy
//
//   dx, dy, x, residual   (..., C)  f32 or bf16, all the same; dx may alias dy or residual
//   weight, dweight, dbias (C)      f32; dbias optional
//   mean, rstd            (...)     f32
struct LayerNormBackward {
    static constexpr std::string_view name = "LayerNormBackward";

    Tensor dx, dweight;
    Tensor dbias = {};
    ConstTensor dy, x, weight, mean, rstd;
    ConstTensor residual = {};  // the gradient that reaches x past the norm
    bool accumulate = false;    // add to dweight and dbias instead of overwriting them

    void check() const {
        const auto C = x.shape.cols();
        require(is_float(x.dtype) && dy.shape == x.shape && dy.dtype == x.dtype, name, "dy must match x");
        require(dx.shape == x.shape && dx.dtype == x.dtype, name, "dx must match x");
        require(!residual || (residual.shape == x.shape && residual.dtype == x.dtype), name, "residual must match x");
        require(weight.count() == C && dweight.count() == C && dweight.dtype == DType::f32, name,
                "weight and dweight must be (C) f32");
        require(!dbias || (dbias.count() == C && dbias.dtype == DType::f32), name, "dbias must be (C) f32");
        require(mean.count() == x.shape.rows() && rstd.count() == x.shape.rows(), name,
                "mean and rstd need one value a row");
    }
    void tensors(auto&& visit) const {
        visit("dx", dx), visit("dweight", dweight), visit("dbias", dbias), visit("dy", dy), visit("x", x);
        visit("weight", weight), visit("mean", mean), visit("rstd", rstd), visit("residual", residual);
    }
};
void run(Cpu&, const LayerNormBackward&);
void run(Cuda&, const LayerNormBackward&);

}  // namespace steepest
