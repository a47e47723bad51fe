#pragma once
// The linear layer y = x W^T + b and its two gradients. W is [d_out, d_in], as PyTorch's Linear.
// Products of bf16 are accumulated in f32; the bias is added to the f32 sum, and the store rounds once.
#include "ops/op.h"

namespace steepest {

// What a product of `operand` may be stored as.
constexpr bool is_sum_of(DType result, DType operand) { return result == DType::f32 || result == operand; }

// z = x weight^T + bias;   y = z, or, if `preactivation` is given, preactivation = z and y = gelu(z) (gelu.h).
// gelu sees z as rounded to the dtype of `preactivation`, as the backward pass will.
//
//   y               (N, O)  f32, or the dtype of x
//   preactivation   (N, O)  the dtype of y; optional
//   x               (N, C)  f32 or bf16
//   weight          (O, C)  the dtype of x
//   bias            (O)     the dtype of y; optional
struct LinearForward {
    static constexpr std::string_view name = "LinearForward";

    Tensor y;
    Tensor preactivation = {};
    ConstTensor x, weight;
    ConstTensor bias = {};

    void check() const {
        const auto N = x.shape.rows(), C = x.shape.cols(), O = weight.shape.rows();
        require(is_float(x.dtype) && weight.dtype == x.dtype && weight.shape.cols() == C, name,
                "weight must be (O, C) of x's dtype");
        require(is_sum_of(y.dtype, x.dtype) && y.shape.rows() == N && y.shape.cols() == O, name,
                "y must be (N, O), f32 or of x's dtype");
        require(!preactivation || (preactivation.shape == y.shape && preactivation.dtype == y.dtype), name,
                "preactivation must match y");
        require(!bias || (bias.count() == O && bias.dtype == y.dtype), name, "bias must be (O) of y's dtype");
    }
    void tensors(auto&& visit) const {
        visit("y", y), visit("preactivation", preactivation), visit("x", x), visit("weight", weight),
            visit("bias", bias);
    }
    std::int64_t flops() const { return 2 * x.shape.rows() * x.shape.cols() * weight.shape.rows(); }
};
void run(Cpu&, const LinearForward&);
void run(Cuda&, const LinearForward&);

// dx = dy weight, times gelu'(preactivation) elementwise if that is given; a backend may round the product to dx's
// dtype before it is multiplied.
//
//   dx              (N, C)  f32, or the dtype of dy
//   dy              (N, O)  f32 or bf16
//   weight          (O, C)  the dtype of dy
//   preactivation   (N, C)  the dtype of dx; optional: the input of the gelu that made x
struct LinearBackwardInput {
    static constexpr std::string_view name = "LinearBackwardInput";

    Tensor dx;
    ConstTensor dy, weight;
    ConstTensor preactivation = {};

    void check() const {
        const auto N = dy.shape.rows(), O = dy.shape.cols(), C = weight.shape.cols();
        require(is_float(dy.dtype) && weight.dtype == dy.dtype && weight.shape.rows() == O, name,
                "weight must be (O, C) of dy's dtype");
        require(is_sum_of(dx.dtype, dy.dtype) && dx.shape.rows() == N && dx.shape.cols() == C, name,
                "dx must be (N, C), f32 or of dy's dtype");
        require(!preactivation || (preactivation.shape == dx.shape && preactivation.dtype == dx.dtype), name,
                "preactivation must match dx");
    }
    void tensors(auto&& visit) const {
        visit("dx", dx), visit("dy", dy), visit("weight", weight), visit("preactivation", preactivation);
    }
    std::int64_t flops() const { return 2 * dy.shape.rows() * dy.shape.cols() * weight.shape.cols(); }
};
void run(Cpu&, const LinearBackwardInput&);
void run(Cuda&, const LinearBackwardInput&);

// dweight (+)= dy^T x;   dbias = column sums of dy.
//
//   dweight   (O, C)  f32
//   dbias     (O)     f32; optional; overwritten, accumulating or not: what sums over micro-batches keeps these apart
//   and
//                     adds all of them at once
//   dy        (N, O)  f32 or bf16
//   x         (N, C)  the dtype of dy
struct LinearBackwardWeight {
    static constexpr std::string_view name = "LinearBackwardWeight";

    Tensor dweight;
    Tensor dbias = {};
    ConstTensor dy, x;
    bool accumulate = false;  // dweight is added to instead of overwritten; overwritten memory is never read

    void check() const {
        const auto N = dy.shape.rows(), O = dy.shape.cols(), C = x.shape.cols();
        require(is_float(dy.dtype) && x.dtype == dy.dtype && x.shape.rows() == N, name,
                "x must be (N, C) of dy's dtype");
        require(dweight.dtype == DType::f32 && dweight.shape.rows() == O && dweight.shape.cols() == C, name,
                "dweight must be (O, C) f32");
        require(!dbias || (dbias.count() == O && dbias.dtype == DType::f32), name, "dbias must be (O) f32");
    }
    void tensors(auto&& visit) const {
        visit("dweight", dweight), visit("dbias", dbias), visit("dy", dy), visit("x", x);
    }
    std::int64_t flops() const { return 2 * dy.shape.rows() * dy.shape.cols() * x.shape.cols(); }
};
void run(Cpu&, const LinearBackwardWeight&);
void run(Cuda&, const LinearBackwardWeight&);

}  // namespace steepest
