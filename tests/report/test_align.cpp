#include "core/error.h"
#include "report/align.h"
#include "tests/report/logs.h"

#include <cmath>

namespace steepest::report {
namespace {

// Columns as eval_line has them: 10 tokens, one gradient, 108 FLOPs and half a second a step.
Curve curve(std::vector<std::pair<std::int64_t, double>> points) {
    Curve c;
    for (const auto& [step, loss] : points) {
        const double s = static_cast<double>(step);
        LogLine line;
        line.step = step, line.tokens = 10 * step, line.gradients = step, line.model_flops = 100 * s;
        line.optimizer_flops = 8 * s, line.loss = loss, line.train_s = s / 2, line.wall_s = s / 2 + 2;
        c.add(line);
    }
    return c;
}
double steps_to(const Curve& c, double target) {
    const auto point = first_crossing(c, target);
    return point ? point->step : -1;
}

TEST(FirstCrossing, InterpolatesEveryColumnInTheLoss) {
    // From 5 to 3 over 8 steps; 4.5 is a quarter of the way down.
    const auto point = first_crossing(curve({{0, 6}, {8, 5}, {16, 3}}), 4.5);
    ASSERT_TRUE(point);
    EXPECT_EQ(point->step, 10);
    EXPECT_EQ(point->tokens, 100);
    EXPECT_EQ(point->gradients, 10);
    EXPECT_EQ(point->flops, 1080);
    EXPECT_EQ(point->seconds, 5);
    EXPECT_EQ(point->wall, 7);
}

TEST(FirstCrossing, ATieIsReachedWhereItIsFirstMet) {
    EXPECT_EQ(steps_to(curve({{0, 6}, {10, 4}, {20, 4}, {30, 4}}), 4), 10);
    EXPECT_EQ(steps_to(curve({{0, 4}, {10, 4}}), 4), 0);
}

TEST(FirstCrossing, ALaterRiseChangesNothing) {
    EXPECT_EQ(steps_to(curve({{0, 6}, {10, 4}, {20, 5}, {30, 3}}), 4.5), 7.5);
    // The final loss of a curve that went below it before.
    EXPECT_EQ(steps_to(curve({{0, 6}, {10, 4}, {20, 5}}), 5), 5);
}

TEST(FirstCrossing, AtOrBelowFromTheStart) { EXPECT_EQ(steps_to(curve({{3, 4}, {10, 3}}), 5), 3); }

TEST(FirstCrossing, NeverReached) {
    EXPECT_EQ(steps_to(curve({{0, 6}, {10, 4}}), 3.999), -1);
    EXPECT_EQ(steps_to(curve({}), 4), -1);
    EXPECT_EQ(steps_to(curve({{0, 6}, {10, 4}}), NAN), -1);
    EXPECT_EQ(steps_to(curve({{0, NAN}, {10, NAN}}), 4), -1);
}

TEST(FirstCrossing, NothingIsInterpolatedAcrossALossThatWasNotFinite) {
    EXPECT_EQ(steps_to(curve({{0, 6}, {10, NAN}, {20, 4}}), 5), 20);
    EXPECT_EQ(steps_to(curve({{0, 6}, {10, INFINITY}, {20, 4}}), 5), 20);
}

TEST(FirstCrossing, UnevenIntervals) { EXPECT_EQ(steps_to(curve({{0, 6}, {1, 5.5}, {101, 4.5}, {102, 2}}), 5), 51); }

TEST(LossAt, IsLinearBetweenRowsAndUnknownOutside) {
    const Curve c = curve({{2, 6}, {4, 5}, {8, 3}, {10, NAN}, {12, 2}});
    EXPECT_EQ(loss_at(c, Axis::step, 2), 6);
    EXPECT_EQ(loss_at(c, Axis::step, 3), 5.5);
    EXPECT_EQ(loss_at(c, Axis::tokens, 50), 4.5);
    EXPECT_EQ(loss_at(c, Axis::seconds, 3), 4);
    EXPECT_EQ(loss_at(c, Axis::flops, 864), 3);
    EXPECT_EQ(loss_at(c, Axis::gradients, 12), 2);
    for (const double x : {1.0, 9.0, 10.0, 11.0, 13.0}) EXPECT_TRUE(std::isnan(loss_at(c, Axis::step, x))) << x;
    EXPECT_TRUE(std::isnan(loss_at(curve({}), Axis::step, 0)));
}

TEST(CommonEnd, IsTheShortestRunsThatDidNotDiverge) {
    std::vector<RunRecord> runs(4);
    runs[0].eval = curve({{0, 6}, {10, 4}});
    runs[1].eval = curve({{0, 6}, {8, 4}});
    runs[2].eval = curve({{0, 6}, {2, 9}});
    runs[2].status = RunStatus::diverged;
    EXPECT_EQ(common_end(runs, Axis::step).x, 8);
    EXPECT_TRUE(common_end(runs, Axis::step).ends_differ);
    EXPECT_EQ(common_end(runs, Axis::seconds).x, 4);
    runs[1].eval = curve({{0, 6}, {5, 5}, {10, 4}});
    EXPECT_EQ(common_end(runs, Axis::step).x, 10);
    EXPECT_FALSE(common_end(runs, Axis::step).ends_differ);
    EXPECT_FALSE(common_end({}, Axis::step).ends_differ);
}

TEST(AxisNames, ReadBackAndRefuseOthers) {
    for (const Axis axis : {Axis::step, Axis::tokens, Axis::gradients, Axis::seconds, Axis::flops})
        EXPECT_EQ(parse_axis(name_of(axis)), axis);
    EXPECT_EQ(label_of(Axis::tokens), "training tokens");
    EXPECT_EQ(message_of<InputError>([] { parse_axis("token"); }),
              "--by: \"token\" is not one of: step, tokens, gradients, seconds, flops; did you mean \"tokens\"?");
}

}  // namespace
}  // namespace steepest::report
