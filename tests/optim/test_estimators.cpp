// The identities between estimators (no clip, M = 0 and H = 0 at the start), and what the clip does to them.
#include "tests/close.h"
#include "tests/optim/rig.h"

#include <cmath>

namespace steepest::testing {
namespace {

constexpr int kSteps = 12;
constexpr std::int64_t kSize = 64 * 24;
using Values = std::vector<double>;
using Sequence = std::vector<std::vector<float>>;

// The gradient of step t, and that of the same batch at the weights before: alike, but not the same.
Values gradient(int t, double scale = 1) { return normal(kSize, "gradient" + std::to_string(t), scale); }
Values before(int t, double scale = 1) {
    Values g = gradient(t, scale);
    const Values change = normal(kSize, "change" + std::to_string(t), scale);
    for (std::int64_t i = 0; i < kSize; ++i) g[i] = 0.9 * g[i] + 0.3 * change[i];
    return g;
}
// As they are on the device.
Values rounded(const Values& values) {
    Values out;
    for (const double v : values) out.push_back(static_cast<float>(v));
    return out;
}

// The directions of kSteps steps with this pipeline.
Sequence directions(const std::string& pipeline, double scale = 1) {
    Rig rig(one_group(0.1, pipeline), {matrix("w", 64, 24)});
    Sequence list;
    for (int t = 1; t <= kSteps; ++t) {
        rig.set_gradient(0, gradient(t, scale));
        rig.set_previous(0, before(t, scale));
        rig.step(1, t == 1 ? 0 : 1);
        list.push_back(rig.direction(0));
    }
    return list;
}
std::string mvr(double gamma, const std::string& more = R"("source": "previous_gradient", "clip": 0)",
                double beta = 0.9) {
    return R"("estimator": {"type": "mvr", "form": "ema", "beta": )" + std::to_string(beta) + R"(, "gamma": )" +
           std::to_string(gamma) + ", " + more + "}";
}
std::string dual_ema(double b1, double b2) {
    return R"("estimator": {"type": "dual_ema", "b1": )" + std::to_string(b1) + R"(, "b2": )" + std::to_string(b2) +
           "}";
}

// Elements are of size 5 at most; each side rounds a handful of times a step and the average forgets in 10 steps.
constexpr Tolerance kFew{.absolute = 100 * kF32 * 5, .relative = 0};

void expect_equal(const Sequence& a, const Sequence& b, Tolerance tolerance = kFew) {
    for (std::size_t t = 0; t < a.size(); ++t)
        expect_close("step " + std::to_string(t + 1), a[t], Values(b[t].begin(), b[t].end()), tolerance);
}

TEST(Estimators, MvrWithoutCorrectionIsTheAverageBitForBit) {
    const Sequence a = directions(mvr(0)), b = directions(dual_ema(0.9, 0.9));
    const Sequence c = directions(mvr(0, R"("source": "previous_weights", "clip": 0)"));
    for (int t = 0; t < kSteps; ++t) EXPECT_TRUE(same_bytes(a[t], b[t]) && same_bytes(c[t], b[t])) << t;
}

TEST(Estimators, Mvr1IsADualAverage) {
    for (const double gamma : {0.025, 0.5, 0.8})
        expect_equal(directions(mvr(gamma)), directions(dual_ema((1 - gamma) * 0.9, 0.9)));
}

TEST(Estimators, Mvr1OfOneMinusBetaIsNesterovAsMuonHasIt) {
    expect_equal(directions(mvr(0.1)), directions(dual_ema(0.81, 0.9)));
    // u = beta M_t + (1 - beta) G_t, by hand.
    const Sequence u = directions(mvr(0.1));
    Values m(kSize);
    for (int t = 1; t <= kSteps; ++t) {
        const Values g = rounded(gradient(t));
        Values expected(kSize);
        for (std::int64_t i = 0; i < kSize; ++i) {
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            expected[i] = 0.9 * m[i] + 0.1 * g[i];
        }
        expect_close("step " + std::to_string(t), u[t - 1], expected, kFew);
    }
}

TEST(Estimators, Mvr1OfOneIsThePlainGradient) {
    const Sequence u = directions(mvr(1));
    for (int t = 1; t <= kSteps; ++t) expect_close("step " + std::to_string(t), u[t - 1], rounded(gradient(t)), kFew);
}

TEST(Estimators, Mvr2IsABlendOfAverageAndStorm) {
    for (const double gamma : {0.025, 0.4, 1.0}) {
        const Sequence u = directions(mvr(gamma, R"("source": "previous_weights", "clip": 0)"));
        Values ema(kSize), storm(kSize);
        for (int t = 1; t <= kSteps; ++t) {
            const Values g = rounded(gradient(t));
            const Values h = t == 1 ? Values(kSize) : rounded(before(t));
            Values expected(kSize);
            for (std::int64_t i = 0; i < kSize; ++i) {
                ema[i] = 0.9 * ema[i] + 0.1 * g[i];
                storm[i] = g[i] + 0.9 * (storm[i] - h[i]);
                expected[i] = (1 - gamma) * ema[i] + gamma * storm[i];
            }
            expect_close("gamma " + std::to_string(gamma) + " step " + std::to_string(t), u[t - 1], expected, kFew);
        }
    }
}

// With one batch for ever, STORM knows the gradient itself: M_t = grad f(W_t) for all t.
TEST(Estimators, StormOfADeterministicProblemIsItsGradient) {
    Rig rig(one_group(0.1, mvr(1, R"("source": "previous_weights", "clip": 0)")), {matrix("w", 64, 24)});
    const Values target = normal(kSize, "target");
    Values h(kSize);
    for (int t = 1; t <= kSteps; ++t) {
        Values g(kSize);
        const std::vector<float> w = rig.weights(0);
        for (std::int64_t i = 0; i < kSize; ++i) g[i] = (1 + i % 3) * (w[i] - target[i]);
        rig.set_gradient(0, g), rig.set_previous(0, h);
        rig.step(1, t == 1 ? 0 : 1);
        expect_close("step " + std::to_string(t), rig.direction(0), rounded(g), {1000 * kF32 * 5, 0});
        h.swap(g);
    }
}

TEST(Estimators, ClippedUpdateIsTheOneOfTheClippedGradient) {
    // ||C|| is about 39, so every step clips to 2; feeding C / ||C|| * 2 without a limit must give the same.
    const Sequence clipped = directions(mvr(0.3, R"("source": "previous_weights", "clip": 2)"));
    Values m(kSize);
    for (int t = 1; t <= kSteps; ++t) {
        const Values g = rounded(gradient(t));
        const Values h = t == 1 ? Values(kSize) : rounded(before(t));
        Values c(kSize);
        double sum = 0;
        for (std::int64_t i = 0; i < kSize; ++i) c[i] = g[i] + 0.3 * 9 * (g[i] - h[i]), sum += c[i] * c[i];
        for (std::int64_t i = 0; i < kSize; ++i) m[i] = 0.9 * m[i] + 0.1 * c[i] * 2 / std::sqrt(sum);
        expect_close("step " + std::to_string(t), clipped[t - 1], m, {100 * kF32 * 0.5, 0});
    }
}

TEST(Estimators, DirectionsForgetTheGradientsScaleOnlyIfAllStepsClipOrNone) {
    const std::string clip = R"("source": "previous_gradient", "clip": 1)", frobenius = R"(, "geometry": "frobenius")";
    const auto run = [&](double scale) { return directions(mvr(0.3, clip) + frobenius, scale); };
    // Directions have norm 1: elements are at most about 5 / sqrt(1536).
    const Tolerance tolerance{100 * kF32 * 0.13, 0};
    expect_equal(run(1), run(1000), tolerance);     // norms of 39 and 39,000: every step clips
    expect_equal(run(1e-3), run(1e-4), tolerance);  // of 0.04 and 0.004: none does, even with the correction
    // Norms of C are 0.9 at the first step, unclipped, and 1.1 at the others.
    const Sequence all = run(1), some = run(1 / 160.0);
    double worst = 0;
    for (int t = 0; t < kSteps; ++t)
        for (std::int64_t i = 0; i < kSize; ++i) worst = std::max(worst, std::abs(double(all[t][i]) - some[t][i]));
    EXPECT_GT(worst, 10 * tolerance.absolute);
}

TEST(Estimators, SumsAreAveragesDividedByOneMinusBeta) {
    const Sequence sum = directions(R"("estimator": {"type": "dual_ema", "b1": 0.9, "b2": 0.9, "form": "sum"})");
    Values buf(kSize);
    for (int t = 1; t <= kSteps; ++t) {
        const Values g = rounded(gradient(t));
        for (std::int64_t i = 0; i < kSize; ++i) buf[i] = 0.9 * buf[i] + g[i];
        expect_close("step " + std::to_string(t), sum[t - 1], buf, {100 * kF32 * 50, 0});
    }
}

TEST(Estimators, GradientScalesOfClippingAreApplied) {
    for (const std::string source : {"previous_weights", "previous_gradient"}) {
        Rig rig(one_group(0.1, mvr(0.5, R"("clip": 0, "source": ")" + source + "\"")), {matrix("w", 64, 24)});
        Values m(kSize), last(kSize);
        for (int t = 1; t <= 4; ++t) {
            const float scale = 0.25f * static_cast<float>(t), other = t == 1 ? 0 : 0.75f;
            rig.set_gradient(0, gradient(t)), rig.set_previous(0, before(t));
            rig.step(scale, other);
            const Values g = rounded(gradient(t)), h = rounded(before(t));
            for (std::int64_t i = 0; i < kSize; ++i) {
                const double G = scale * g[i], H = source == "previous_weights" ? other * h[i] : last[i];
                m[i] = 0.9 * m[i] + 0.1 * (G + 0.5 * 9 * (G - H));
                last[i] = G;
            }
            expect_close(source + ", step " + std::to_string(t), rig.direction(0), m, kFew);
        }
    }
}

TEST(Estimators, OnlyPreviousWeightsAskForASecondGradient) {
    const std::vector<ParamSpec> specs{matrix("w", 8, 8)};
    EXPECT_TRUE(
        Optimizer(one_group(1, mvr(1, R"("source": "previous_weights")")), specs).needs().previous_weights_gradient);
    EXPECT_FALSE(Optimizer(one_group(1, mvr(1)), specs).needs().previous_weights_gradient);
    EXPECT_FALSE(Optimizer(one_group(1, dual_ema(0, 0)), specs).needs().previous_weights_gradient);
}

TEST(Estimators, ThePlainGradientKeepsNothing) {
    EXPECT_TRUE(Rig(one_group(1, dual_ema(0, 0)), {matrix("w", 8, 8)}).entries.empty());
    EXPECT_EQ(Rig(one_group(1, dual_ema(0, 0.9)), {matrix("w", 8, 8)}).entries.size(), 1u);
}

// Averages that start at their first value do so at the first good step: what a bad one before it changes is nothing.
TEST(Start, IsTheFirstGoodStep) {
    for (
        const std::string pipeline :
        {R"("groups": {"all": {"match": "rest", "learning_rate": 0.1,
              "estimator": {"type": "dual_ema", "b1": 0.9, "b2": 0.9, "start": "gradient"}}})",
         R"("groups": {"all": {"match": "rest", "learning_rate": 0.1, "estimator": {"type": "adam", "start": "gradient"}}})",
         R"("step_size": "momo", "groups": {"all": {"match": "rest", "learning_rate": 1,
              "estimator": {"type": "dual_ema", "b1": 0.9, "b2": 0.9, "start": "gradient"}}})"}) {
        const auto walk = [&](int bad_steps) {
            Rig rig(optimizer_from(R"({"schedule": {"type": "constant"}, )" + pipeline + "}"), {matrix("w", 64, 24)});
            rig.set_weights(0, normal(kSize, "weights"));
            for (int t = 1; t <= bad_steps; ++t) rig.set_gradient(0, gradient(7)), rig.step(1, 0, 0, 3);
            for (int t = 1; t <= 3; ++t) rig.set_gradient(0, gradient(t)), rig.step(1, 0, 1, 2);
            return rig.weights(0);
        };
        const std::vector<float> straight = walk(0);
        EXPECT_TRUE(same_bytes(walk(1), straight)) << pipeline;
        EXPECT_TRUE(same_bytes(walk(2), straight)) << pipeline;
    }
}

}  // namespace
}  // namespace steepest::testing
