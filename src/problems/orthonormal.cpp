// Gram-Schmidt of normal rows, twice against rounding.
#include "problems/orthonormal.h"

#include "core/random.h"

#include <cmath>

namespace steepest {

std::vector<double> random_orthogonal(std::int64_t n, std::uint64_t seed, std::string_view purpose) {
    const Random random(seed, purpose);
    std::vector<double> rows(n * n);
    for (std::int64_t i = 0; i < n * n; ++i) rows[i] = random.normal(i);
    const auto dot = [&](std::int64_t a, std::int64_t b) {
        double sum = 0;
        for (std::int64_t k = 0; k < n; ++k) sum += rows[a * n + k] * rows[b * n + k];
        return sum;
    };
    for (std::int64_t i = 0; i < n; ++i) {
        for (int pass = 0; pass < 2; ++pass)
            for (std::int64_t j = 0; j < i; ++j) {
                const double along = dot(i, j);
                for (std::int64_t k = 0; k < n; ++k) rows[i * n + k] -= along * rows[j * n + k];
            }
        const double length = std::sqrt(dot(i, i));
        for (std::int64_t k = 0; k < n; ++k) rows[i * n + k] /= length;
    }
    return rows;
}

}  // namespace steepest
