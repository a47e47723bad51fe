#pragma once
// Rows and columns of matrices, in double.
#include <cmath>
#include <cstdint>
#include <vector>

namespace steepest::reference {

// One value a row, or a column, of a rows x cols matrix.
inline std::vector<double> axis_squares(const std::vector<double>& x, std::int64_t rows, std::int64_t cols, bool by_row,
                                        bool mean) {
    std::vector<double> sums(static_cast<std::size_t>(by_row ? rows : cols));
    for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < cols; ++j)
            sums[static_cast<std::size_t>(by_row ? i : j)] += x[static_cast<std::size_t>(i * cols + j)] *
                                                              x[static_cast<std::size_t>(i * cols + j)] /
                                                              static_cast<double>(mean ? (by_row ? cols : rows) : 1);
    return sums;
}

inline double divided(double x, double value, double inside, double outside) {
    const double divisor = std::sqrt(value + inside) + outside;
    return divisor == 0 ? 0 : x / divisor;
}

}  // namespace steepest::reference
