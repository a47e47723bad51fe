#pragma once
// Square roots of symmetric positive semi-definite matrices, and their inverses, by coupled Newton-Schulz iteration:
//   Y = B, Z = I;   T = Z Y;   Q = a I + b T + c T^2;   Y = Y Q, Z = Q Z,   so that Y -> B^(1/2), Z -> B^(-1/2)
// with the polynomials (a, b, c) that orthogonalize a matrix: of an eigenvalue x^2 of B, Y has x p(x) and Z p(x) / x,
// where p is what the iteration makes of the singular value x. Higham 2008, "Functions of Matrices", theorem 6.9; in
// this order of factors it is stable (section 6.4).
#include "optim/binding.h"

namespace steepest {

// Eight steps, those of polar_express_paper. Eigenvalues must not exceed 1 (or that by little), nor be negative,
// by rounding either: add 1e-6 I where it is not there already. Those from 1e-6 on end right but for
// rounding; of smaller ones Y is too small by at most 4.3e-5, and Z at most 6.4e3. Rounding in f32, measured on random
// matrices of 64 rows with condition numbers k: 1e-6 k^(1/5) of ||Y||, 1e-7 k^(2/3) of ||Z||.
class SquareRoots {
public:
    void prepare(Binding& binding, std::vector<Shape> squares);
    // b[i] becomes its root; and inverse[i], where given, one over it.
    void replace(Device device, const TensorList& b, const TensorList& inverse = {});
    static std::int64_t flops(const std::vector<Shape>& squares);

private:
    TensorList y_, z_, next_z_, t_, q_;
};

}  // namespace steepest
