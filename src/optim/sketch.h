#pragma once
// Matrices seen through a few random combinations of their rows or columns: X ~ X Q Q^T of wide X, Q Q^T X of tall
// ones, Q orthonormal, of a Gaussian sketch with power iterations. Halko, Martinsson, Tropp 2011, arXiv:0909.4061,
// algorithm 4.3 (without the factorisations between the iterations: what is lost are directions under 6e-8 of the
// largest singular value to the power of 2 power_iterations + 1).
#include "core/field.h"
#include "optim/orthonormal_rows.h"

namespace steepest {

struct SketchOptions {
    int rank = 200, oversampling = 10, power_iterations = 1;

    void fields(auto& f) {
        f("rank", rank, "random directions, at most the shorter side", Range<int>{.low = 1});
        f("oversampling", oversampling, "directions beside these", Range<int>{.low = 0});
        f("power_iterations", power_iterations, "products with X X^T that pull them to large singular values",
          Range<int>{0, 4});
    }
    // Orthonormal rows (l, longer side), and what a matrix is in terms of them (l, shorter side).
    Shape basis(const Shape& matrix) const;
    Shape coordinates(const Shape& matrix) const;
};

class Sketch {
public:
    explicit Sketch(SketchOptions options) : options_(options) {}

    void prepare(Binding& binding);
    void begin_step(std::int64_t step) { step_.set(static_cast<double>(step)); }
    // basis() and coordinates() of x. Other random numbers every step.
    void make(const Binding& binding, const TensorList& x);
    const TensorList& basis() const { return basis_; }
    const TensorList& coordinates() const { return coordinates_; }
    // x[i] = the matrix with these coordinates.
    static void expand(Device device, const TensorList& x, const TensorList& basis, const TensorList& coordinates);
    std::int64_t flops(const std::vector<Shape>& shapes) const;

private:
    SketchOptions options_;
    OrthonormalRows orthonormal_;
    TensorList basis_, coordinates_;
    Scalar step_;
};

}  // namespace steepest
