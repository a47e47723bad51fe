#pragma once
// What Multiply computes, in double, with the sum of magnitudes that its rounding errors are measured against.
#include "tests/reference/orthogonalize.h"

namespace steepest::reference {

struct Product {
    Dense value, magnitude;
};

inline Product multiply(const Dense& a, const Dense& b, const Dense& d, double alpha, double beta, double identity) {
    Product p{Dense(a.rows, b.cols), Dense(a.rows, b.cols)};
    for (std::int64_t i = 0; i < a.rows; ++i)
        for (std::int64_t j = 0; j < b.cols; ++j) {
            double sum = 0, size = 0;
            for (std::int64_t k = 0; k < a.cols; ++k) sum += a(i, k) * b(k, j), size += std::abs(a(i, k) * b(k, j));
            const double one = i == j ? identity : 0;
            p.value(i, j) = alpha * sum + beta * d(i, j) + one;
            p.magnitude(i, j) = std::abs(alpha) * size + std::abs(beta * d(i, j)) + std::abs(one);
        }
    return p;
}

}  // namespace steepest::reference
