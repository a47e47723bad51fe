// One-sided Jacobi: rotates pairs of rows until all are orthogonal; their lengths are then the singular values.
// Hestenes 1958; Golub, Van Loan, "Matrix Computations", 4th edition, 8.6.3.
#include "problems/nuclear_norm.h"

#include <cmath>
#include <limits>

namespace steepest {

namespace {

double dot(const double* x, const double* y, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
    return sum;
}

// True if there was something to do.
bool make_orthogonal(double* x, double* y, std::int64_t n) {
    const double xx = dot(x, x, n), yy = dot(y, y, n), xy = dot(x, y, n);
    // Not `<=` on the negation: rows that are not finite must end too.
    if (!(std::abs(xy) > 4 * std::numeric_limits<double>::epsilon() * std::sqrt(xx * yy))) return false;
    const double zeta = (yy - xx) / (2 * xy);
    const double t = (zeta >= 0 ? 1 : -1) / (std::abs(zeta) + std::hypot(1.0, zeta));
    const double c = 1 / std::hypot(1.0, t), s = c * t;
    for (std::int64_t i = 0; i < n; ++i) {
        const double old = x[i];
        x[i] = c * old - s * y[i];
        y[i] = s * old + c * y[i];
    }
    return true;
}

}  // namespace

double nuclear_norm(std::vector<double> a, std::int64_t rows, std::int64_t cols) {
    if (rows > cols) {
        std::vector<double> transposed(a.size());
        for (std::int64_t i = 0; i < rows; ++i)
            for (std::int64_t j = 0; j < cols; ++j) transposed[j * rows + i] = a[i * cols + j];
        return nuclear_norm(std::move(transposed), cols, rows);
    }
    constexpr int kMostSweeps = 60;  // ten are plenty; rounding must not turn them for ever
    bool any = true;
    for (int sweep = 0; any && sweep < kMostSweeps; ++sweep) {
        any = false;
        for (std::int64_t i = 0; i < rows; ++i)
            for (std::int64_t j = i + 1; j < rows; ++j) any |= make_orthogonal(&a[i * cols], &a[j * cols], cols);
    }
    double sum = 0;
    for (std::int64_t i = 0; i < rows; ++i) sum += std::sqrt(dot(&a[i * cols], &a[i * cols], cols));
    return sum;
}

}  // namespace steepest
