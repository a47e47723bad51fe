#pragma once
// Newton-Schulz iteration towards the polar factor: the direction of steepest descent under the spectral norm.
// K. Jordan et al., "Muon", 2024; Bernstein, Newhouse 2024, arXiv:2409.20325.
#include "ops/op.h"

#include <algorithm>
#include <array>
#include <vector>

namespace steepest {

// For each matrix, with X the wide orientation of x (x or its transpose, so that rows <= cols):
//   X = X / (norm_factor * ||X||_F + epsilon);   for each (a, b, c):  A = X X^T;  B = b A + c A A;  X = a X + B X;   x
//   = X
// so every singular value s of the normalised X becomes p(s), p the composition of s -> a s + b s^3 + c s^5.
//
//   x         same shape (rows, cols) throughout, f32, in place
//   scratch   bytes planned with scratch_bytes(); matrices are taken in chunks that fit it
//   dual      (n) f32, optional: <x[i], result[i]>, the nuclear norm of x[i] if the iteration has converged
//   compute   the dtype of X, A and B in memory: f32 or bf16; products are accumulated in f32
//
// A and B are symmetric: only their upper triangles are computed. form gram iterates on the Gram matrix alone and
// multiplies X once at the end; it halves the work of wide matrices and loses up to 2e-4 on directions whose singular
// value is under 1e-3 of the largest, so it wants f32 and an explicit choice.
struct Orthogonalize {
    static constexpr std::string_view name = "Orthogonalize";
    enum class Form { x, gram };

    TensorList x;
    Tensor scratch;
    Tensor dual = {};
    std::vector<std::array<double, 3>> coefficients;
    DType compute;
    Form form = Form::x;
    float norm_factor = 1, epsilon = 1e-7f;
    ConstTensor gate = {};

    // For up to `matrices` of this shape at a time, as many as `limit` bytes hold but at least one.
    static std::int64_t scratch_bytes(std::int64_t rows, std::int64_t cols, std::int64_t matrices, DType compute,
                                      std::int64_t limit);

    void check() const {
        for (const Tensor& t : x)
            require(t.dtype == DType::f32 && t.shape.rank() == 2 && t.shape == x[0].shape, name,
                    "x must be f32 matrices of one shape");
        require(is_float(compute), name, "compute must be f32 or bf16");
        require(form == Form::x || compute == DType::f32, name, "the Gram form needs f32");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
        visit("scratch", scratch);
    }
    // Of the plain algorithm, symmetric products counted whole.
    std::int64_t flops() const {
        if (x.empty()) return 0;
        const auto r = std::min(x[0].shape.rows(), x[0].shape.cols()),
                   s = std::max(x[0].shape.rows(), x[0].shape.cols());
        return static_cast<std::int64_t>(x.size() * coefficients.size()) * (4 * r * r * s + 2 * r * r * r);
    }
};
void run(Cpu&, const Orthogonalize&);
void run(Cuda&, const Orthogonalize&);

}  // namespace steepest
