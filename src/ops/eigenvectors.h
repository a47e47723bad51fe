#pragma once
// Eigenvectors of small symmetric matrices: what a factorisation of large ones does between its products.
#include "ops/op.h"

namespace steepest {

// The rows of q[i] are orthonormal eigenvectors of h[i], those of the largest eigenvalues first; their signs are
// anyone's. Cyclic Jacobi rotations in double, in the order of a tournament, of what exceeds 1e-10 ||h||_F, in at most
// `sweeps` sweeps over all pairs: 12 end at that for any matrix that was met; after fewer, q is a step towards it.
// Golub, Van Loan 2013, section 8.5. Eigenvectors of eigenvalues that differ by d are right to 6e-8 ||h||_F / d and
// what the rounding of h makes of them.
//
//   h   (n, n) f32, symmetric (halves that differ by rounding are averaged), n at most kMostRows; anything where it is
//       not finite
//   q   (n, n) f32
struct SymmetricEigenvectors {
    static constexpr std::string_view name = "SymmetricEigenvectors";
    static constexpr std::int64_t kMostRows = 64;
    static constexpr double kThreshold = 1e-10;

    TensorList q, h;
    int sweeps = 12;

    void check() const {
        bool ok = q.size() == h.size();
        for (std::size_t i = 0; ok && i < q.size(); ++i)
            ok = h[i].dtype == DType::f32 && q[i].dtype == DType::f32 && h[i].shape.rank() == 2 &&
                 h[i].shape[0] == h[i].shape[1] && h[i].shape[0] <= kMostRows && q[i].shape == h[i].shape;
        require(ok, name, "q and h must be square f32 matrices of at most 64 rows, one of q for each of h");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : q) visit("q", t);
        for (const Tensor& t : h) visit("h", t);
    }
};
void run(Cpu&, const SymmetricEigenvectors&);
void run(Cuda&, const SymmetricEigenvectors&);

}  // namespace steepest
