#include "report/thinned.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

namespace steepest::report {
namespace {

Curve noisy(std::int64_t rows) {
    Curve curve;
    for (std::int64_t i = 0; i < rows; ++i) {
        LogLine line;
        line.step = i, line.tokens = 7 * i, line.gradients = 2 * i, line.model_flops = 3.0 * i;
        line.train_s = 0.5 * i, line.wall_s = 0.6 * i, line.loss = 3 + std::sin(0.37 * i) * 0.1;
        curve.add(line);
    }
    return curve;
}

TEST(Thinned, KeepsSpikesDipsGapsAndEnds) {
    Curve curve = noisy(20000);
    curve.loss[12345] = 99, curve.loss[777] = 0.25, curve.loss[15000] = NAN;
    const Curve thin = thinned(curve, 300);
    EXPECT_LE(thin.size(), 300u);
    EXPECT_GE(thin.size(), 150u);
    EXPECT_EQ(thin.step.front(), 0);
    EXPECT_EQ(thin.step.back(), 19999);
    EXPECT_TRUE(std::ranges::is_sorted(thin.step));
    for (const std::int64_t step : {777, 12345, 15000}) EXPECT_TRUE(std::ranges::count(thin.step, step)) << step;
    for (std::size_t i = 0; i < thin.size(); ++i) {
        const std::size_t from = thin.step[i];
        EXPECT_EQ(thin.tokens[i], curve.tokens[from]);
        EXPECT_EQ(thin.gradients[i], curve.gradients[from]);
        EXPECT_EQ(thin.flops[i], curve.flops[from]);
        EXPECT_EQ(thin.seconds[i], curve.seconds[from]);
        EXPECT_EQ(thin.wall[i], curve.wall[from]);
        if (from != 15000) {
            EXPECT_EQ(thin.loss[i], curve.loss[from]);
        }
    }
}

// Within any window of two buckets the thinned curve spans what the curve spans.
TEST(Thinned, EveryBucketsRangeSurvives) {
    const Curve curve = noisy(5000), thin = thinned(curve, 302);
    for (int b = 0; b < 100; ++b) {
        const auto [low, high] = std::minmax_element(curve.loss.begin() + 50 * b, curve.loss.begin() + 50 * (b + 1));
        for (const double extreme : {*low, *high}) EXPECT_TRUE(std::ranges::count(thin.loss, extreme)) << b;
    }
}

TEST(Thinned, WhatFitsStaysAndNoneIsNone) {
    EXPECT_EQ(thinned(noisy(50), 50).size(), 50u);
    EXPECT_TRUE(thinned(noisy(50), 0).empty());
    EXPECT_TRUE(thinned({}, 10).empty());
}

}  // namespace
}  // namespace steepest::report
