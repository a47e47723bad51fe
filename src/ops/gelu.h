#pragma once
// GELU, tanh form, as GPT-2: Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2.
//   gelu(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
// The linear ops of matmul.h carry it as an epilogue; these are the same functions alone, for recomputation.
#include "ops/op.h"

namespace steepest {

// y = gelu(x).   y, x: any shape, the same, f32 or bf16; may alias. Computed in f32.
struct GeluForward {
    static constexpr std::string_view name = "GeluForward";

    Tensor y;
    ConstTensor x;

    void check() const {
        require(is_float(x.dtype) && y.shape == x.shape && y.dtype == x.dtype, name, "y must match x");
    }
    void tensors(auto&& visit) const { visit("y", y), visit("x", x); }
};
void run(Cpu&, const GeluForward&);
void run(Cuda&, const GeluForward&);

// dx = dy * gelu'(x).   dx, dy, x: any shape, the same, f32 or bf16; dx may alias dy. Computed in f32.
struct GeluBackward {
    static constexpr std::string_view name = "GeluBackward";

    Tensor dx;
    ConstTensor dy, x;

    void check() const {
        require(is_float(x.dtype) && dy.shape == x.shape && dy.dtype == x.dtype, name, "dy must match x");
        require(dx.shape == x.shape && dx.dtype == x.dtype, name, "dx must match x");
    }
    void tensors(auto&& visit) const { visit("dx", dx), visit("dy", dy), visit("x", x); }
};
void run(Cpu&, const GeluBackward&);
void run(Cuda&, const GeluBackward&);

}  // namespace steepest
