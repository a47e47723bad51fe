#pragma once
// Newton-Schulz iteration towards the polar factor: the direction of steepest descent under the spectral norm.
// K. Jordan et al., "Muon", 2024; Bernstein, Newhouse 2024, arXiv:2409.20325.
#include "ops/newton_schulz.h"
#include "ops/op.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

namespace steepest {

// For each matrix, with X the wide orientation of x (x or its transpose, so that rows <= cols):
//   X = X / (norm_factor * ||X||_F + epsilon);   for each (a, b, c):  A = X X^T;  B = b A + c A A;  X = a X + B X;   x
//   = X
// so every singular value s of the normalised X becomes p(s), p the composition of s -> a s + b s^3 + c s^5.
//
//   x         matrices of any shapes, f32, in place; a GPU iterates as many of them together as scratch holds
//   scratch   bytes planned with scratch_bytes(), aligned to 16 bytes
//   dual      (n) f32, optional: <x[i], result[i]>, the nuclear norm of x[i] if the iteration has converged
//   compute   the dtype of X, A and B in memory: f32 or bf16; products are accumulated in f32
//
// A and B are symmetric: only their upper triangles are computed. Form gram (newton_schulz.h) takes two steps at a time
// of matrices that are not square, with the same result but for rounding, in half to four fifths of the work.
struct Orthogonalize {
    static constexpr std::string_view name = "Orthogonalize";
    using Form = NewtonSchulzForm;

    TensorList x;
    Tensor scratch;
    Tensor dual = {};
    std::vector<std::array<double, 3>> coefficients;
    DType compute;
    Form form = Form::gram;
    float norm_factor = 1, epsilon = 1e-7f;
    ConstTensor gate = {};

    // The share of one matrix: X twice and two of its Gram matrix's size, rows padded to 16 bytes.
    static std::int64_t matrix_bytes(const Shape& shape, DType compute) {
        const std::int64_t side = std::min(shape.rows(), shape.cols()), length = std::max(shape.rows(), shape.cols());
        const auto up = [](std::int64_t bytes, std::int64_t to) { return (bytes + to - 1) / to * to; };
        const auto bytes = [&](std::int64_t cols) { return up(side * up(cols * size_of(compute), 16), 64); };
        return 2 * bytes(length) + 2 * bytes(side);
    }
    // For as many of the matrices at a time as `limit` bytes hold, the largest first, but at least that one.
    static std::int64_t scratch_bytes(const std::vector<Shape>& shapes, DType compute, std::int64_t limit) {
        std::vector<std::int64_t> sizes;
        for (const Shape& shape : shapes) sizes.push_back(matrix_bytes(shape, compute));
        std::ranges::sort(sizes, std::greater());
        std::int64_t total = 0;
        for (const std::int64_t bytes : sizes)
            if (total == 0 || total + bytes <= limit) total += bytes;
        return total;
    }

    void check() const {
        for (const Tensor& t : x) require(t.dtype == DType::f32 && t.shape.rank() == 2, name, "x must be f32 matrices");
        require(is_float(compute), name, "compute must be f32 or bf16");
        std::int64_t largest = 0;
        for (const Tensor& t : x) largest = std::max(largest, matrix_bytes(t.shape, compute));
        require(scratch.bytes() >= largest, name,
                "scratch must hold the largest matrix: " + std::to_string(largest) + " bytes, found " +
                    std::to_string(scratch.bytes()) + "; see scratch_bytes()");
        require(!dual || (dual.dtype == DType::f32 && dual.count() == static_cast<std::int64_t>(x.size())), name,
                "dual must be f32, one value a matrix");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
        visit("scratch", scratch);
    }
    // Symmetric products counted whole.
    std::int64_t flops() const {
        std::int64_t total = 0;
        for (const Tensor& t : x)
            total += newton_schulz_flops(t.shape, newton_schulz_products(t.shape, coefficients, form));
        return total;
    }
};
void run(Cpu&, const Orthogonalize&);
void run(Cuda&, const Orthogonalize&);

}  // namespace steepest
