#include "optim/tridiagonal.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace steepest {

namespace {

// Eigenvalues below x: the negative pivots of T - x I.
std::size_t count_below(std::span<const double> diagonal, std::span<const double> beside, double x) {
    std::size_t count = 0;
    double pivot = 1;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
        const double square = i == 0 ? 0 : beside[i - 1] * beside[i - 1];
        pivot = diagonal[i] - x - (square == 0 ? 0 : square / pivot);
        if (pivot == 0) pivot = -std::numeric_limits<double>::min();
        count += pivot < 0;
    }
    return count;
}

// The least x with more than `below` eigenvalues under it.
double eigenvalue(std::span<const double> diagonal, std::span<const double> beside, std::size_t below, double low,
                  double high) {
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (count_below(diagonal, beside, middle) > below ? high : low) = middle;
    }
    return (low + high) / 2;
}

}  // namespace

std::pair<double, double> tridiagonal_range(std::span<const double> diagonal, std::span<const double> beside) {
    // Gershgorin's discs.
    double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
        const double reach =
            (i > 0 ? std::abs(beside[i - 1]) : 0) + (i + 1 < diagonal.size() ? std::abs(beside[i]) : 0);
        sum += diagonal[i] + reach;
        low = std::min(low, diagonal[i] - reach), high = std::max(high, diagonal[i] + reach);
    }
    if (!std::isfinite(sum)) return {sum - sum, sum - sum};
    return {eigenvalue(diagonal, beside, 0, low, high), eigenvalue(diagonal, beside, diagonal.size() - 1, low, high)};
}

}  // namespace steepest
