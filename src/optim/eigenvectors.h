#pragma once
// Eigenvectors of symmetric matrices of any size, by Jacobi's algorithm on blocks: matrices up to 64 rows in one op,
// larger ones in panels of 32 rows that meet in pairs, as in a tournament:
//   H = [W_a; W_c] [Q_a; Q_c]^T;   J H J^T diagonal;   W, Q = J W, J Q of these rows,   from Q = I and W = A,
// so that Q A Q^T, which is W Q^T, becomes diagonal. Golub, Van Loan 2013, section 8.5.6.
#include "optim/binding.h"

#include <string>
#include <vector>

namespace steepest {

class Eigenvectors {
public:
    // Scratch for as many of the matrices at a time as this holds, in MiB, or for the largest.
    static constexpr std::int64_t kScratch = 512;

    // For symmetric matrices of these shapes.
    void prepare(Binding& binding, const std::string& name, const std::vector<Shape>& squares);
    // The rows of q[i] are orthonormal eigenvectors of a[i], those of the identity where it is zero. q[i] a[i] q[i]^T
    // is diagonal but for 1e-5 ||a[i]||_F: eigenvectors are mixed by at most that over the distance of their
    // eigenvalues.
    void find(Device device, const TensorList& q, const TensorList& a) const;

private:
    std::int64_t floats(std::int64_t side) const;
    void find_some(Device device, const TensorList& q, const TensorList& a) const;

    Tensor memory_;
};

}  // namespace steepest
