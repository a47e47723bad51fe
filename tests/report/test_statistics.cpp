#include "report/statistics.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace steepest::report {
namespace {

// Expected numbers: scipy 1.10 (stats.sem, t.ppf, ttest_rel, ttest_ind with equal_var=False), and Satterthwaite's
// formula.
const std::vector<double> kA = {3.42, 3.39, 3.47, 3.41, 3.44}, kB = {3.50, 3.46, 3.49, 3.52, 3.45},
                          kC = {3.61, 3.48, 3.55};
constexpr double kClose = 1e-11;

TEST(Statistics, SummaryIsScipys) {
    const Summary s = summarize(kA);
    EXPECT_EQ(s.n, 5u);
    EXPECT_NEAR(s.mean, 3.426, kClose);
    EXPECT_NEAR(s.standard_error, 0.013638181696985862, kClose);
    EXPECT_NEAR(s.half_width, 0.037865662816394606, kClose);
}

TEST(Statistics, PairedIsScipys) {
    const Difference d = paired_difference(kA, kB);
    EXPECT_NEAR(d.mean, -0.058, kClose);
    EXPECT_NEAR(d.low, -0.11023850292122257, kClose);
    EXPECT_NEAR(d.high, -0.005761497078777447, kClose);
    EXPECT_EQ(d.degrees, 4);
    EXPECT_NEAR(d.p, 0.03683597855493232, kClose);
    EXPECT_TRUE(d.significant());
}

TEST(Statistics, WelchIsScipys) {
    const Difference d = welch_difference(kA, kC);
    EXPECT_NEAR(d.mean, -0.12066666666666626, kClose);
    EXPECT_NEAR(d.low, -0.2619297322330896, kClose);
    EXPECT_NEAR(d.high, 0.020596398899757062, kClose);
    EXPECT_NEAR(d.degrees, 2.539927847821682, kClose);
    EXPECT_NEAR(d.p, 0.07019663115867569, kClose);
    EXPECT_FALSE(d.significant());
}

TEST(Statistics, TooFewAreUnknownAndNeverSignificant) {
    EXPECT_TRUE(std::isnan(summarize({}).mean));
    const std::vector<double> one = {3};
    EXPECT_EQ(summarize(one).mean, 3);
    EXPECT_TRUE(std::isnan(summarize(one).half_width));
    for (const Difference& d : {welch_difference(one, kA), paired_difference(one, one), paired_difference({}, {})}) {
        EXPECT_TRUE(std::isnan(d.low) && std::isnan(d.p));
        EXPECT_FALSE(d.significant());
    }
    EXPECT_EQ(welch_difference(one, std::vector<double>{1, 2, 3}).mean, 1);
}

TEST(Statistics, EqualValuesGiveAnIntervalOfNoWidth) {
    const std::vector<double> low = {2, 2}, high = {3, 3};
    EXPECT_TRUE(paired_difference(low, high).significant());
    EXPECT_FALSE(paired_difference(low, low).significant());
    EXPECT_EQ(paired_difference(low, low).p, 1);
}

}  // namespace
}  // namespace steepest::report
