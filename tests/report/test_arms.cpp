#include "report/arm_tables.h"
#include "tests/report/logs.h"

#include <cmath>

namespace steepest::report {
namespace {

class ArmsTest : public RunTest {
protected:
    // Evaluations at 0, 10, 20; `end` is how it ended.
    RunRecord one(const std::string& optimizer, double rate, int seed, double last, const std::string& end = "done",
                  std::int64_t last_step = 20) const {
        const std::string name = optimizer + "-" + shortest(rate) + "-" + std::to_string(seed);
        write(name + "/config.json", R"({"name": ")" + name + R"(", "threads": )" + std::to_string(seed) +
                                         R"(, "seed": )" + std::to_string(seed) + R"(, "optimizer": {"name": ")" +
                                         optimizer + R"(", "lr_scale": )" + shortest(rate) +
                                         R"(, "groups": {"matrices": {"learning_rate": 0.5, "type": ")" + optimizer +
                                         R"("}, "rest": {"learning_rate": 2}}}})");
        std::string start = start_line(name, optimizer);
        start.replace(start.find("\"seed\":1"), 8,
                      "\"seed\":" + std::to_string(seed) + R"(,"data":"d","init":"i)" + std::to_string(seed) + "\"");
        return read_run(run(name, start + eval_line(0, 6) + train_line(10, 4) + eval_line(10, 4) +
                                      eval_line(last_step, last) + end_line(last_step, end)));
    }
};

TEST_F(ArmsTest, RunsThatDifferInSeedAndRateAreOneArmAndTheBestRateHasTheLeastMean) {
    const std::vector<RunRecord> runs = {one("muon", 1, 1, 3.1),  one("muon", 1, 2, 3.3),
                                         one("muon", 2, 1, 3.0),  one("muon", 2, 2, 3.5),
                                         one("adamw", 1, 1, 3.4), one("muon", 4, 1, 2, "diverged"),
                                         one("muon", 1, 3, 3.2),  one("muon", 4, 2, 1, "done")};
    const Arms arms = arms_of(runs, Axis::step);
    ASSERT_EQ(arms.arms.size(), 2u);
    const Arm& muon = arms.arms[0];
    EXPECT_EQ(muon.name, "muon");
    ASSERT_EQ(muon.points.size(), 3u);
    EXPECT_EQ(muon.points[1].learning_rate, 1.0);  // lr_scale 2 times 0.5
    EXPECT_EQ(muon.best, 0u);                      // 3.2 against 3.25, and 1.0 of the rate at which a seed diverged
    EXPECT_DOUBLE_EQ(muon.chosen().loss.mean, 3.2);
    EXPECT_EQ(muon.choosing, 2u);  // seeds 1 and 2; 3 was run at no other rate
    EXPECT_TRUE(muon.at_edge());
    EXPECT_EQ(muon.points[2].diverged, 1u);
    EXPECT_EQ(muon.points[2].losses, std::vector<double>{1});
    EXPECT_TRUE(arms.worth_showing);
}

TEST_F(ArmsTest, ARateRunWithMoreSeedsIsChosenByThoseThatAllWereRunWith) {
    // Seed 1 prefers rate 1, whose other seeds are worse than all of rate 2.
    const std::vector<RunRecord> runs = {one("muon", 1, 1, 3.0), one("muon", 2, 1, 3.1), one("muon", 1, 2, 3.4),
                                         one("muon", 1, 3, 3.5), one("muon", 4, 1, 2, "diverged")};
    const Arm muon = arms_of(runs, Axis::step).arms.at(0);
    EXPECT_EQ(muon.best, 0u);
    EXPECT_DOUBLE_EQ(muon.chosen().score, 3.0);
    EXPECT_DOUBLE_EQ(muon.chosen().loss.mean, 3.3);
    EXPECT_TRUE(std::isnan(muon.points[2].score));
    EXPECT_EQ(muon.choosing, 1u);
}

TEST_F(ArmsTest, PairedWhereInitAndDataAreSharedAndWelchOtherwise) {
    std::vector<RunRecord> runs;
    for (int seed = 1; seed <= 3; ++seed) runs.push_back(one("adamw", 1, seed, 3 + seed));
    for (int seed = 1; seed <= 3; ++seed) runs.push_back(one("muon", 1, seed, 2.9 + seed + 0.01 * seed));
    const auto compare = [&] {
        const Arms arms = arms_of(runs, Axis::step);
        return difference_of(runs, arms.arms[1], arms.arms[0]);
    };
    const ArmDifference paired = compare();
    EXPECT_TRUE(paired.paired);
    EXPECT_EQ(paired.n, 3u);
    EXPECT_NEAR(paired.loss.mean, -0.08, 1e-12);
    // 4.302652729911275 is scipy's t.ppf(0.975, 2); the differences -0.09, -0.08, -0.07 have deviation 0.01.
    EXPECT_NEAR(paired.loss.high, -0.08 + 4.302652729911275 * 0.01 / std::sqrt(3.0), 1e-12);
    EXPECT_TRUE(paired.loss.significant());
    runs[4].start.init = "other";
    const ArmDifference welch = compare();
    EXPECT_FALSE(welch.paired);
    EXPECT_FALSE(welch.loss.significant());
    const Arms arms = arms_of(runs, Axis::step);
    const std::string text = arm_table(runs, arms, 0);
    for (const char* part : {"Welch, n=3+3", "not significant", "baseline"})
        EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_EQ(text.find("optimistic"), std::string::npos) << "no rate was chosen\n" << text;
}

TEST_F(ArmsTest, OneSeedSaysNothingAboutSignificance) {
    const std::vector<RunRecord> runs = {one("adamw", 1, 1, 3), one("muon", 1, 1, 2), one("muon", 2, 1, 2.5)};
    const std::string text = arm_table(runs, arms_of(runs, Axis::step), 0);
    EXPECT_NE(text.find("too few seeds to say"), std::string::npos) << text;
    EXPECT_NE(text.find("optimistic"), std::string::npos) << text;
}

TEST_F(ArmsTest, UnfinishedRunsDoNotShortenTheComparisonAndShorterFinishedOnesDo) {
    std::vector<RunRecord> runs = {one("adamw", 1, 1, 3), one("muon", 1, 1, 2),
                                   one("muon", 1, 2, 3.5, "interrupted", 12)};
    Arms arms = arms_of(runs, Axis::step);
    EXPECT_EQ(arms.end.x, 20);
    EXPECT_EQ(arms.arms[1].chosen().usable.size(), 1u);
    runs.push_back(one("sgd", 1, 1, 3, "done", 15));
    arms = arms_of(runs, Axis::step);
    EXPECT_EQ(arms.end.x, 15);
    EXPECT_EQ(arms.arms[0].chosen().losses, std::vector<double>{3.5});  // halfway from 4 to 3
    EXPECT_NE(arm_table(runs, arms, 0).find("validation loss at step 15"), std::string::npos);
}

TEST_F(ArmsTest, MeanCurveIsOverTheEvaluationsAllHave) {
    std::vector<RunRecord> runs = {one("muon", 1, 1, 3), one("muon", 1, 2, 2)};
    LogLine extra;
    extra.step = 30, extra.loss = 1;
    runs[0].eval.add(extra);
    const Arms arms = arms_of(std::span(runs).first(2), Axis::step);
    const Curve mean = mean_curve(runs, arms.arms[0].points[0]);
    EXPECT_EQ(mean.step, (std::vector<std::int64_t>{0, 10, 20}));
    EXPECT_EQ(mean.loss, (std::vector<double>{6, 4, 2.5}));
    EXPECT_EQ(mean.seconds, (std::vector<double>{0, 5, 10}));
}

TEST(GoodRegion, CrossesLinearlyInTheLogarithmOfTheRate) {
    Arm arm;
    for (const auto& [rate, loss] : {std::pair{0.01, 3.2}, {0.1, 3.0}, {1.0, 3.04}, {10.0, NAN}}) {
        ArmPoint& point = arm.points.emplace_back();
        point.learning_rate = rate, point.score = loss;
        point.diverged = std::isnan(loss);
    }
    arm.best = 1;
    const auto region = good_region(arm, 0.05);
    ASSERT_TRUE(region);
    // A quarter of the way from 0.1 down to 0.01; above, the next rate diverged.
    EXPECT_NEAR(region->low, 0.1 * std::pow(10, -0.25), 1e-12);
    EXPECT_EQ(region->high, 1.0);
    EXPECT_FALSE(region->open_low || region->open_high);
    arm.points.pop_back();
    EXPECT_TRUE(good_region(arm, 0.05)->open_high);
    arm.points.resize(1), arm.best = 0;
    EXPECT_FALSE(good_region(arm, 0.05));
}

}  // namespace
}  // namespace steepest::report
