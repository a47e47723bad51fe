#pragma once
// Orthonormal rows that span those of a matrix, in order: the QR factorisation of its transpose, in panels of 32 rows.
#include "optim/binding.h"

namespace steepest {

class OrthonormalRows {
public:
    // For matrices of these shapes, none with more rows than columns.
    void prepare(Binding& binding, const std::string& name, const std::vector<Shape>& shapes);
    // x[i] = Q of x[i] = L Q, L lower triangular with a positive diagonal; rows of zeros stay. What the panels before
    // span is subtracted from each panel twice, which makes Q orthonormal to rounding, also of rows that are nearly
    // dependent; the panel itself is GramSchmidt's.
    void replace(Device device, const TensorList& x) const;
    static std::int64_t flops(const std::vector<Shape>& shapes);

private:
    TensorList parts_;
};

}  // namespace steepest
