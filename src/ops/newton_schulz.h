#pragma once
// The Newton-Schulz iteration of one matrix as a list of products, the same for every backend.
#include "core/tensor.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace steepest {

// to = alpha left right + beta from + identity I; alpha 0: no product.
//
// x is the iterate in its wide orientation, (rows, cols) with rows <= cols; the others are (rows, rows), functions of
// one symmetric matrix, so that they commute and all products of them are symmetric. Where left and right are both x,
// their product is x x^T. spare may lie where the next x will.
struct NewtonSchulzProduct {
    enum class Place { none, x, gram, factor, spare };

    Place to, left, right, from = Place::none;
    double alpha = 1, beta = 0, identity = 0;

    bool symmetric() const { return to != Place::x; }
    bool squares() const { return right == Place::x && symmetric(); }
};

// How a matrix is iterated on: x, step by step; gram, where it is wider than high, two steps at a time.
//
// With R = X X^T and P = a I + b R + c R R, a step makes X into P X and R into P R P. Iterating on R alone, and
// multiplying X once at the end, halves the work of wide matrices (J. Zhang, N. Amsel, B. Chen, T. Dao, "Gram
// Newton-Schulz", 2026, dao-lab.ai/blog/2026/gram-newton-schulz), but what rounding adds to an eigenvalue of R near
// zero grows by a^2 a step, 12 with Muon's coefficients, and ends far above it. Hence their restarts: R is computed
// from X again. Here after every second step, so that R grows its error once. Two steps of r x s cost 3 r^2 s + 5 r^3
// multiplications then, symmetric products halved, for 6 r^2 s + 2 r^3.
//
// Of five steps the third stays alone: 2, 1, 2. In bf16 with Muon's coefficients, for ten spectra from equal values to
// a few large ones over 1e-3, the result is then 0.8 to 1.4 times as far from the exact one as that of form x; 1, 2, 2
// and 2, 2, 1 are up to 2.5 times, and polynomials that are not made for it diverge (optim/geometry/
// newton_schulz_sets.h).
enum class NewtonSchulzForm { x, gram };

inline std::vector<NewtonSchulzProduct> newton_schulz_products(const Shape& shape,
                                                               const std::vector<std::array<double, 3>>& coefficients,
                                                               NewtonSchulzForm form) {
    using enum NewtonSchulzProduct::Place;
    std::vector<NewtonSchulzProduct> list;
    const auto step = [&](std::size_t k) {
        const auto [a, b, c] = coefficients[k];
        list.push_back({.to = gram, .left = x, .right = x});
        if (c == 0) return list.push_back({.to = x, .left = gram, .right = x, .from = x, .alpha = b, .beta = a});
        list.push_back({.to = factor, .left = gram, .right = gram, .from = gram, .alpha = c, .beta = b});
        list.push_back({.to = x, .left = factor, .right = x, .from = x, .beta = a});
    };
    const auto pair = [&](std::size_t k) {
        const auto [a, b, c] = coefficients[k];
        const auto [a2, b2, c2] = coefficients[k + 1];
        list.push_back({.to = gram, .left = x, .right = x});
        list.push_back({.to = factor, .left = gram, .right = gram, .from = gram, .alpha = c, .beta = b, .identity = a});
        list.push_back({.to = spare, .left = gram, .right = factor});
        list.push_back({.to = gram, .left = spare, .right = factor});
        list.push_back({.to = spare, .left = gram, .right = gram, .from = gram, .alpha = c2, .beta = b2});
        list.push_back({.to = gram, .left = spare, .right = factor, .from = factor, .beta = a2});
        list.push_back({.to = x, .left = gram, .right = x});
    };

    const bool wide = shape.rows() != shape.cols();
    const std::size_t steps = coefficients.size(), pairs = form == NewtonSchulzForm::gram && wide ? steps / 2 : 0;
    std::size_t k = 0;
    for (; k < (pairs + 1) / 2 * 2; k += 2) pair(k);
    for (std::size_t alone = steps - 2 * pairs; alone > 0; --alone) step(k++);
    for (; k < steps; k += 2) pair(k);
    return list;
}

// Of one matrix, symmetric products counted whole.
inline std::int64_t newton_schulz_flops(const Shape& shape, const std::vector<NewtonSchulzProduct>& products) {
    const std::int64_t rows = std::min(shape.rows(), shape.cols()), cols = std::max(shape.rows(), shape.cols());
    std::int64_t total = 0;
    for (const NewtonSchulzProduct& p : products)
        if (p.alpha != 0) total += 2 * rows * rows * (p.squares() || !p.symmetric() ? cols : rows);
    return total;
}

}  // namespace steepest
