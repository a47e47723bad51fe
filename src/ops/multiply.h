#pragma once
// Products of lists of matrices: what stages that are no single op are made of (bases, roots of matrices, sketches).
#include "ops/op.h"

namespace steepest {

// c[i] = alpha op(a[i]) op(b[i]) + beta d[i] + identity I,   op(x) = x, or its transpose where that is asked for
//
//   c    (M, N)  f32; overlaps neither a nor b
//   a    (M, K), or (K, M) where transposed   f32
//   b    (K, N), or (N, K) where transposed   f32; not both are transposed
//   d    (M, N)  f32, optional; may be c
//
// Sums are f32, in an order that the shapes decide. `symmetric` says that the result is symmetric, and with neither
// transposed that b is: then only what touches the upper triangle is computed, and mirrored.
struct Multiply {
    static constexpr std::string_view name = "Multiply";

    TensorList c, a, b, d = {};
    bool transpose_a = false, transpose_b = false, symmetric = false;
    float alpha = 1, beta = 1, identity = 0;
    ConstTensor gate = {};

    // K of product i.
    std::int64_t depth(std::size_t i) const { return transpose_a ? a[i].shape.rows() : a[i].shape.cols(); }

    void check() const {
        require(!transpose_a || !transpose_b, name, "one of a and b may be transposed");
        require(a.size() == c.size() && b.size() == c.size() && (d.empty() || d.size() == c.size()), name,
                "lists must be of one length");
        for (std::size_t i = 0; i < c.size(); ++i) {
            for (const Tensor* t : {&c[i], &a[i], &b[i]})
                require(t->dtype == DType::f32 && t->shape.rank() == 2, name, "all must be f32 matrices");
            const Shape &x = a[i].shape, &y = b[i].shape;
            require(c[i].shape == Shape{transpose_a ? x[1] : x[0], transpose_b ? y[0] : y[1]} &&
                        depth(i) == (transpose_b ? y[1] : y[0]),
                    name, "sides must match");
            require(!symmetric || c[i].shape[0] == c[i].shape[1], name, "a symmetric matrix is square");
            require(d.empty() || (d[i].dtype == DType::f32 && d[i].shape == c[i].shape), name, "d must match c");
        }
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : c) visit("c", t);
        for (const Tensor& t : a) visit("a", t);
        for (const Tensor& t : b) visit("b", t);
        for (const Tensor& t : d) visit("d", t);
    }
    // A symmetric result counted whole.
    std::int64_t flops() const {
        std::int64_t total = 0;
        for (std::size_t i = 0; i < c.size(); ++i) total += 2 * c[i].count() * depth(i);
        return total;
    }
};
void run(Cpu&, const Multiply&);
void run(Cuda&, const Multiply&);

}  // namespace steepest
