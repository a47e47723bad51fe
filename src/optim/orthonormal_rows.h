#pragma once
// Orthonormal rows that span those of a matrix, in order: the QR factorisation of its transpose, in panels of 32 rows.
#include "optim/binding.h"

namespace steepest {

class OrthonormalRows {
public:
    // For matrices of these shapes, none with more rows than columns.
    void prepare(Binding& binding, const std::string& name, const std::vector<Shape>& shapes);
    // x[i] = Q of x[i] = L Q, L lower triangular with a positive diagonal; rows of zeros stay. Each panel loses what
    // those before span and is made orthonormal by GramSchmidt, and that once more: where rows are nearly dependent,
    // what is left of them is little, and what rounding leaves of the panels before is then a large part of it.
    void replace(Device device, const TensorList& x) const;
    static std::int64_t flops(const std::vector<Shape>& shapes);

private:
    TensorList parts_;
};

}  // namespace steepest
