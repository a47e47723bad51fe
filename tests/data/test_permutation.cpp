#include "data/permutation.h"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <vector>

namespace steepest {
namespace {

std::vector<std::int64_t> order(std::int64_t n, std::uint64_t seed, std::uint64_t epoch) {
    const Permutation permutation(n, Random(seed, "data", epoch));
    std::vector<std::int64_t> all(n);
    for (std::int64_t i = 0; i < n; ++i) all[i] = permutation(i);
    return all;
}

TEST(Permutation, IsABijection) {
    for (const std::int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1000, 4097, 100000})
        for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
            std::vector<bool> hit(n, false);
            for (const std::int64_t x : order(n, 1, epoch)) {
                ASSERT_GE(x, 0);
                ASSERT_LT(x, n);
                ASSERT_FALSE(hit[x]) << n;
                hit[x] = true;
            }
        }
}

TEST(Permutation, SeedAndEpochMakeAnotherOrderAndNothingElseDoes) {
    for (const std::int64_t n : {64, 1000, 4097}) {
        EXPECT_EQ(order(n, 1, 0), order(n, 1, 0));
        EXPECT_NE(order(n, 1, 0), order(n, 1, 1));
        EXPECT_NE(order(n, 1, 0), order(n, 2, 0));
        std::vector<std::int64_t> identity(n);
        std::iota(identity.begin(), identity.end(), 0);
        EXPECT_NE(order(n, 1, 0), identity);
    }
}

// Distinct and in range where no list of the domain could be held: near the largest n, and where a * a = n and n + 1.
TEST(Permutation, HugeDomains) {
    const std::int64_t root = std::int64_t{1} << 31;
    for (const std::int64_t n :
         {root * root, root * root - 1, (root - 1) * (root - 1) + 1, (std::int64_t{1} << 40) + 7}) {
        const Permutation permutation(n, Random(1, "data"));
        std::set<std::int64_t> seen;
        for (std::int64_t i = 0; i < 500; ++i) {
            for (const std::int64_t index : {i, n - 1 - i}) {
                const std::int64_t x = permutation(index);
                ASSERT_GE(x, 0);
                ASSERT_LT(x, n);
                seen.insert(x);
            }
        }
        EXPECT_EQ(seen.size(), 1000u);
    }
}

// Over many keys every thing comes equally often to every place. With E keys a count is binomial(E, 1/n); n^2 of them
// are looked at, so six standard deviations are passed by chance once in ten million tests.
TEST(Permutation, EveryPlaceIsEquallyLikely) {
    constexpr int kEpochs = 20000;
    for (const std::int64_t n : {2, 3, 5, 7, 10}) {
        std::vector<std::int64_t> count(n * n, 0);
        for (int epoch = 0; epoch < kEpochs; ++epoch) {
            const Permutation permutation(n, Random(5, "data", epoch));
            for (std::int64_t i = 0; i < n; ++i) ++count[i * n + permutation(i)];
        }
        const double p = 1.0 / n;
        for (const std::int64_t c : count)
            EXPECT_NEAR(c, kEpochs * p, 6 * std::sqrt(kEpochs * p * (1 - p))) << "n = " << n;
    }
}

// Where neighbours go: of a random permutation of n, |p(i + 1) - p(i)| is on average (n + 1) / 3 with a standard
// deviation of n / sqrt(18), and nearly independent between i; and p(i) has no correlation with i, whose standard error
// is 1 / sqrt(n - 1).
TEST(Permutation, NeighboursAreScattered) {
    for (const std::int64_t n : {1000, 4097, 65536}) {
        const std::vector<std::int64_t> p = order(n, 3, 0);
        double distance = 0, product = 0;
        const double middle = (n - 1) / 2.0;
        for (std::int64_t i = 0; i < n; ++i) {
            product += (i - middle) * (p[i] - middle);
            if (i > 0) distance += std::abs(p[i] - p[i - 1]);
        }
        EXPECT_NEAR(distance / (n - 1), (n + 1) / 3.0, 6 * n / std::sqrt(18.0 * n));
        const double variance = (static_cast<double>(n) * n - 1) / 12;
        EXPECT_NEAR(product / n / variance, 0, 5 / std::sqrt(n - 1.0));
    }
}

}  // namespace
}  // namespace steepest
