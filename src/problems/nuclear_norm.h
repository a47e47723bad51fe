#pragma once
#include <cstdint>
#include <vector>

namespace steepest {

// The sum of the singular values of a (rows, cols) matrix, row-major, to rounding; O(min^2 max) a sweep, a few sweeps.
double nuclear_norm(std::vector<double> matrix, std::int64_t rows, std::int64_t cols);

}  // namespace steepest
