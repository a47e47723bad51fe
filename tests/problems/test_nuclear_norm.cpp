#include "core/random.h"
#include "problems/nuclear_norm.h"

#include <cmath>
#include <gtest/gtest.h>

namespace steepest {
namespace {

// A matrix with given singular values s: reflections of their diagonal, H = I - 2 h h^T / |h|^2 on either side.
std::vector<double> with_singular_values(const std::vector<double>& s, std::int64_t rows, std::int64_t cols) {
    std::vector<double> a(rows * cols);
    for (std::size_t i = 0; i < s.size(); ++i) a[i * cols + i] = s[i];
    const Random random(1, "reflections");
    std::vector<double> h(rows + cols);
    for (std::size_t i = 0; i < h.size(); ++i) h[i] = random.normal(i);
    double left = 0, right = 0;
    for (std::int64_t i = 0; i < rows; ++i) left += h[i] * h[i];
    for (std::int64_t j = 0; j < cols; ++j) right += h[rows + j] * h[rows + j];
    for (std::int64_t j = 0; j < cols; ++j) {
        double inner = 0;
        for (std::int64_t i = 0; i < rows; ++i) inner += h[i] * a[i * cols + j];
        for (std::int64_t i = 0; i < rows; ++i) a[i * cols + j] -= 2 * h[i] * inner / left;
    }
    for (std::int64_t i = 0; i < rows; ++i) {
        double inner = 0;
        for (std::int64_t j = 0; j < cols; ++j) inner += h[rows + j] * a[i * cols + j];
        for (std::int64_t j = 0; j < cols; ++j) a[i * cols + j] -= 2 * h[rows + j] * inner / right;
    }
    return a;
}

TEST(NuclearNorm, IsTheSumOfSingularValues) {
    for (const auto& [rows, cols] : {std::pair{3, 5}, std::pair{5, 3}, std::pair{1, 4}, std::pair{20, 20}}) {
        std::vector<double> s;
        double sum = 0;
        for (int i = 0; i < std::min(rows, cols); ++i) s.push_back(std::pow(0.3, i % 7)), sum += s.back();
        EXPECT_NEAR(nuclear_norm(with_singular_values(s, rows, cols), rows, cols), sum, 1e-13 * sum) << rows;
    }
}

TEST(NuclearNorm, OfLowRankAndOfNothing) {
    EXPECT_EQ(nuclear_norm({0, 0, 0, 0, 0, 0}, 2, 3), 0);
    EXPECT_NEAR(nuclear_norm({1, 2, 2, 4, 3, 6}, 3, 2), std::sqrt(14.0 * 5.0), 1e-14 * 10);
    EXPECT_TRUE(std::isnan(nuclear_norm({1, NAN, 0, 1}, 2, 2)));
}

}  // namespace
}  // namespace steepest
