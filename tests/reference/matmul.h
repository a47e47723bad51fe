#pragma once
// Matrix products in double, as src/ops/matmul.h states them. Each comes with the sum of the magnitudes of its terms,
// to which the error of an f32 sum is proportional.
#include <cmath>
#include <vector>

namespace steepest::testing {

struct ProductReference {
    std::vector<double> value, magnitude;
};

// (M, K) (K, N); element (i, k) of a is a[i * a_row + k * a_col], of b likewise.
struct StridedReference {
    const std::vector<double>& values;
    std::size_t row, col;
};

inline ProductReference product_reference(StridedReference a, StridedReference b, std::size_t M, std::size_t K,
                                          std::size_t N) {
    ProductReference r{.value = std::vector<double>(M * N), .magnitude = std::vector<double>(M * N)};
    for (std::size_t i = 0; i < M; ++i)
        for (std::size_t k = 0; k < K; ++k) {
            const double left = a.values[i * a.row + k * a.col];
            for (std::size_t j = 0; j < N; ++j) {
                const double term = left * b.values[k * b.row + j * b.col];
                r.value[i * N + j] += term;
                r.magnitude[i * N + j] += std::abs(term);
            }
        }
    return r;
}

// x (N, C), weight (O, C): x weight^T.
inline ProductReference linear_reference(const std::vector<double>& x, const std::vector<double>& weight, std::size_t N,
                                         std::size_t C, std::size_t O) {
    return product_reference({x, C, 1}, {weight, 1, C}, N, C, O);
}
// dy (N, O), weight (O, C): dy weight.
inline ProductReference linear_input_gradient_reference(const std::vector<double>& dy,
                                                        const std::vector<double>& weight, std::size_t N, std::size_t C,
                                                        std::size_t O) {
    return product_reference({dy, O, 1}, {weight, C, 1}, N, O, C);
}
// dy (N, O), x (N, C): dy^T x.
inline ProductReference linear_weight_gradient_reference(const std::vector<double>& dy, const std::vector<double>& x,
                                                         std::size_t N, std::size_t C, std::size_t O) {
    return product_reference({dy, 1, O}, {x, C, 1}, O, N, C);
}
inline ProductReference column_sums_reference(const std::vector<double>& dy, std::size_t N, std::size_t O) {
    const std::vector<double> ones(N, 1.0);
    return product_reference({ones, N, 1}, {dy, O, 1}, 1, N, O);
}

}  // namespace steepest::testing
