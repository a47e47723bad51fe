#include "core/random.h"

#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace steepest {
namespace {

// Known answers of Random123, kat_vectors: philox4x32 10.
TEST(Philox, KnownAnswers) {
    EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Philox4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Philox4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (Philox4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Moments of n independent draws are normal around the true ones with standard error sqrt(variance / n): five of them
// are passed by chance once in two million.
constexpr std::uint64_t kDraws = 1 << 20;
constexpr double kSigmas = 5;

TEST(Random, UniformIsUniform) {
    const Random random(7, "uniform");
    std::array<std::int64_t, 64> bins{};
    double sum = 0, squares = 0, lagged = 0, before = 0.5;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
        const double x = random.uniform(i);
        ASSERT_GE(x, 0.0);
        ASSERT_LT(x, 1.0);
        ++bins[static_cast<int>(x * 64)];
        sum += x, squares += x * x, lagged += (x - 0.5) * (before - 0.5), before = x;
    }
    const double n = kDraws;
    EXPECT_NEAR(sum / n, 0.5, kSigmas * std::sqrt(1.0 / 12 / n));
    EXPECT_NEAR(squares / n, 1.0 / 3, kSigmas * std::sqrt((1.0 / 5 - 1.0 / 9) / n));
    EXPECT_NEAR(lagged / n, 0, kSigmas * (1.0 / 12) / std::sqrt(n));
    // Chi-squared with 63 degrees of freedom: mean 63, variance 126.
    double chi = 0;
    for (const std::int64_t count : bins) chi += (count - n / 64) * (count - n / 64) / (n / 64);
    EXPECT_NEAR(chi, 63, 6 * std::sqrt(126));
}

TEST(Random, NormalHasItsMoments) {
    const Random random(7, "normal");
    std::array<double, 5> moment{};
    double pairs = 0;
    std::int64_t beyond = 0;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
        const double x = random.normal(i);
        ASSERT_TRUE(std::isfinite(x));
        double power = 1;
        for (int k = 1; k <= 4; ++k) moment[k] += power *= x;
        // Both values of one Box-Muller pair.
        if (i % 2) pairs += x * random.normal(i - 1);
        beyond += std::abs(x) > 1.959963984540054;
    }
    const double n = kDraws;
    // E x^k is 0, 1, 0, 3, and E x^2k is 1, 3, 15, 105.
    EXPECT_NEAR(moment[1] / n, 0, kSigmas * std::sqrt(1 / n));
    EXPECT_NEAR(moment[2] / n, 1, kSigmas * std::sqrt((3 - 1) / n));
    EXPECT_NEAR(moment[3] / n, 0, kSigmas * std::sqrt(15 / n));
    EXPECT_NEAR(moment[4] / n, 3, kSigmas * std::sqrt((105 - 9) / n));
    EXPECT_NEAR(pairs / (n / 2), 0, kSigmas * std::sqrt(2 / n));
    EXPECT_NEAR(beyond / n, 0.05, kSigmas * std::sqrt(0.05 * 0.95 / n));
}

TEST(Random, BelowCoversItsRangeEvenly) {
    const Random random(7, "below");
    constexpr int kSides = 6;
    std::array<std::int64_t, kSides> count{};
    for (std::uint64_t i = 0; i < kDraws; ++i) {
        const std::uint64_t x = random.below(kSides, i);
        ASSERT_LT(x, static_cast<std::uint64_t>(kSides));
        ++count[x];
    }
    const double p = 1.0 / kSides, n = kDraws;
    for (const std::int64_t c : count) EXPECT_NEAR(c / n, p, kSigmas * std::sqrt(p * (1 - p) / n));
    EXPECT_EQ(random.below(1, 12345), 0u);
}

TEST(Random, WordsAndBlocksAgree) {
    const Random random(3, "words", 9);
    for (std::uint64_t i = 0; i < 40; ++i) EXPECT_EQ(random.word(i), random.words(i / 4)[i % 4]);
}

// What a value depends on, each alone: seed, purpose, step, index, also in their upper halves.
TEST(Random, EveryCoordinateMakesAnotherStream) {
    std::set<Philox4> seen;
    int made = 0;
    const std::uint64_t high = std::uint64_t{1} << 32;
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, high})
        for (const char* purpose : {"init", "data", "optimizer", ""})
            for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{1}, high})
                for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, high}) {
                    seen.insert(Random(seed, purpose, step).words(index));
                    ++made;
                }
    EXPECT_EQ(static_cast<int>(seen.size()), made);
}

TEST(Random, PurposesAreUncorrelated) {
    const Random a(1, "init"), b(1, "data");
    double product = 0;
    for (std::uint64_t i = 0; i < kDraws; ++i) product += a.normal(i) * b.normal(i);
    EXPECT_NEAR(product / kDraws, 0, kSigmas / std::sqrt(static_cast<double>(kDraws)));
}

}  // namespace
}  // namespace steepest
