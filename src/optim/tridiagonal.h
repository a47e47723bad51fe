#pragma once
// The ends of the spectrum of a small symmetric tridiagonal matrix.
#include <span>
#include <utility>

namespace steepest {

// The smallest and the largest eigenvalue of the matrix with this diagonal and, of `beside`, as many as there are
// places beside it (more are not looked at). By bisection with Sturm's count (Golub, Van Loan, "Matrix Computations",
// section 8.4.1), to rounding of the largest. Not numbers where one is not finite.
std::pair<double, double> tridiagonal_range(std::span<const double> diagonal, std::span<const double> beside);

}  // namespace steepest
