// What is around estimator and geometry: dual norms, transforms, lengths, the step's size, alternating branches.
#include "tests/close.h"
#include "tests/optim/rig.h"
#include "tests/reference/orthogonalize.h"

#include <cmath>

namespace steepest::testing {
namespace {

using Values = std::vector<double>;
using reference::Dense;

constexpr std::int64_t kRows = 24, kCols = 40;
constexpr int kSteps = 8;

Values doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }
Values gradient(int t) { return normal(kRows * kCols, "gradient" + std::to_string(t), 0.1); }

// Weights after kSteps steps of one matrix, from zero; lr 0.01.
std::vector<float> walk(const std::string& pipeline, const std::string& optimizer = "", float loss = 1) {
    Rig rig(optimizer_from(R"({"schedule": {"type": "constant"}, )" + optimizer +
                           R"("groups": {"all": {"match": "rest", "learning_rate": 0.01, )" + pipeline + "}}}"),
            {matrix("w", kRows, kCols)});
    for (int t = 1; t <= kSteps; ++t) {
        rig.set_gradient(0, gradient(t));
        rig.step(1, 1, 1, loss);
    }
    return rig.weights(0);
}
std::string ema(double b1, double b2) {
    return R"("estimator": {"type": "dual_ema", "b1": )" + std::to_string(b1) + R"(, "b2": )" + std::to_string(b2) +
           "}";
}
constexpr const char* kSpectral = R"({"type": "spectral", "precision": "fp32"})";

// The direction of the first gradient.
Values direction(const std::string& pipeline) {
    Rig rig(one_group(0.01, pipeline), {matrix("w", kRows, kCols)});
    rig.set_gradient(0, gradient(1));
    rig.step();
    return doubles(rig.direction(0));
}
double dot(const Values& a, const Values& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// Directions of rows and columns have norm 1 under their norms, reach the dual one, and no other direction of norm 1
// does better.
TEST(AxisNorms, ReachTheirDualNorms) {
    const Values u = doubles(std::vector<float>([] {
        const Values g = gradient(1);
        return std::vector<float>(g.begin(), g.end());
    }()));
    for (const bool rows : {true, false}) {
        const Values d =
            direction(std::string(R"("estimator": "dual_ema", "geometry": )") + (rows ? "\"rows\"" : "\"columns\""));
        const std::int64_t count = rows ? kRows : kCols;
        double dual = 0;
        Values norms(count), other(normal(kRows * kCols, "other")), other_norms(count);
        const auto line = [&](std::int64_t k) { return rows ? k / kCols : k % kCols; };
        for (std::int64_t k = 0; k < kRows * kCols; ++k) {
            norms[line(k)] += d[k] * d[k];
            other_norms[line(k)] += other[k] * other[k];
        }
        for (std::int64_t k = 0; k < kRows * kCols; ++k) other[k] /= std::sqrt(other_norms[line(k)]);
        Values squares(count);
        for (std::int64_t k = 0; k < kRows * kCols; ++k) squares[line(k)] += u[k] * u[k];
        for (const double s : squares) dual += std::sqrt(s);
        for (const double n : norms) EXPECT_NEAR(n, 1, 20 * kF32);
        EXPECT_NEAR(dot(u, d), dual, 20 * kF32 * dual);
        EXPECT_LT(dot(u, other), dual);
    }
}

TEST(Alternate, EveryStepIsTheOtherAndNeverIsNone) {
    const std::string muon = std::string(R"(, "geometry": )") + kSpectral;
    const auto lion = [&](int every) {
        return ema(0.9, 0.9) + R"(, "geometry": "sign", "alternate": {"every": )" + std::to_string(every) +
               R"(, "learning_rate": 0.01, "geometry": )" + kSpectral + "}";
    };
    EXPECT_TRUE(same_bytes(walk(lion(1)), walk(ema(0.9, 0.9) + muon)));
    EXPECT_TRUE(same_bytes(walk(lion(kSteps + 1)), walk(ema(0.9, 0.9) + R"(, "geometry": "sign")")));
    EXPECT_FALSE(same_bytes(walk(lion(2)), walk(lion(3))));
}

TEST(Alternate, HasItsOwnVariantOfTheStep) {
    Optimizer optimizer(one_group(1, R"("estimator": "dual_ema", "geometry": "sign",
        "alternate": {"every": 3, "learning_rate": 2, "geometry": "spectral"})"),
                        std::vector<ParamSpec>{matrix("w", 8, 8)});
    Layout state, scratch;
    StepScalars scalars;
    optimizer.plan(state, scratch, scalars);
    for (const auto& [step, variant, rate] : {std::tuple{1, 0, 1.0}, {2, 0, 1.0}, {3, 1, 2.0}, {4, 0, 1.0}}) {
        optimizer.begin_step(step, 10);
        EXPECT_EQ(optimizer.variant(step), variant);
        EXPECT_EQ(optimizer.learning_rates()[0].learning_rate, rate);
    }
    EXPECT_EQ(optimizer.flops_per_step(), 5 * (4 * 8 * 8 * 8 + 2 * 8 * 8 * 8) / 3);
}

// The golden vectors say the rest; here, what NorMuon promises: the factor's size, and after one step equal rows.
TEST(RowMoments, MakeRowsEqualAndKeepTheNorm) {
    const std::string muon = std::string(R"("estimator": "dual_ema", "geometry": )") + kSpectral;
    const Values plain = direction(muon), rows = direction(muon + R"(, "refinement": "row_moments")"),
                 unit = direction(muon + R"(, "refinement": {"type": "row_moments", "size": "unit"})");
    EXPECT_NEAR(dot(rows, rows), dot(plain, plain), 30 * kF32 * dot(plain, plain));
    EXPECT_NEAR(dot(unit, unit), kRows * kCols, 30 * kF32 * kRows * kCols);
    for (std::int64_t i = 0; i < kRows; ++i) {
        const Values row(rows.begin() + i * kCols, rows.begin() + (i + 1) * kCols);
        EXPECT_NEAR(dot(row, row), dot(plain, plain) / kRows, 1e-5 * dot(plain, plain) / kRows) << i;
    }
}

TEST(Scion, KeepsWeightsInTheirBall) {
    constexpr double kRho = 3;
    Rig rig(one_group(0.5, R"("weight_decay": 1, "radius": 3, "estimator": "dual_ema",
        "geometry": {"type": "spectral", "coefficients": "simple", "precision": "fp32"})"),
            {matrix("w", kRows, kCols)});
    for (int t = 1; t <= 20; ++t) {
        rig.set_gradient(0, gradient(t));
        rig.step();
        // The largest singular value, by power iteration.
        const Dense W(kRows, kCols, doubles(rig.weights(0)));
        Dense v(kCols, 1, normal(kCols, "v"));
        double size = 0;
        for (int k = 0; k < 100; ++k) {
            v = W.t() * (W * v);
            size = reference::frobenius(v);
            for (double& x : v.data) x /= size;
        }
        EXPECT_LE(std::sqrt(size), kRho * (1 + 1e-4)) << t;
        if (t == 1) {
            EXPECT_NEAR(std::sqrt(size), kRho / 2, 1e-3);  // from zero half way to the boundary
        }
    }
}

// Steps of length 1, n, the sum and n over the root of all squares, of two matrices; n from the directions themselves.
TEST(Length, FollowsTheNormOfAllMatrices) {
    const std::vector<ParamSpec> specs{matrix("a", kRows, kCols), matrix("b", 12, 7)};
    const auto moved = [&](const std::string& length) {
        Rig rig(one_group(1, std::string(R"("estimator": "dual_ema", "length": ")") + length + R"(", "geometry": )" +
                                 kSpectral),
                specs);
        for (std::size_t i = 0; i < 2; ++i) rig.set_gradient(i, normal(specs[i].shape.count(), specs[i].name, 0.1));
        rig.step();
        std::vector<Values> all;
        for (std::size_t i = 0; i < 2; ++i) all.push_back(doubles(rig.weights(i)));
        return all;
    };
    const auto unit = moved("unit");
    double n[2];
    for (std::size_t i = 0; i < 2; ++i) n[i] = -dot(normal(specs[i].shape.count(), specs[i].name, 0.1), unit[i]);
    const double root = std::hypot(n[0], n[1]);
    const std::map<std::string, std::array<double, 2>> expected{{"dual", {n[0], n[1]}},
                                                                {"group_dual", {n[0] + n[1], n[0] + n[1]}},
                                                                {"group_share", {n[0] / root, n[1] / root}}};
    for (const auto& [length, factors] : expected) {
        const auto found = moved(length);
        for (std::size_t i = 0; i < 2; ++i)
            for (std::size_t k = 0; k < unit[i].size(); ++k)
                ASSERT_NEAR(found[i][k], factors[i] * unit[i][k], 1e-5 * factors[i] * std::abs(unit[i][k])) << length;
    }
}

TEST(StepSize, MomoWithoutAFloorIsTheBase) {
    for (const std::string geometry : {"\"identity\"", "\"sign\"", "\"rows\"", "\"frobenius\"", kSpectral})
        EXPECT_TRUE(same_bytes(
            walk(ema(0.9, 0.9) + R"(, "geometry": )" + geometry),
            walk(ema(0.9, 0.9) + R"(, "geometry": )" + geometry, R"("step_size": {"type": "momo", "floor": -1e30}, )")))
            << geometry;
}

TEST(StepSize, MomoStopsAtTheFloor) {
    const std::string sgd = R"("estimator": "dual_ema", "radius": 1e6)";
    // One step: <M, W> = 0 and F = loss, so that the step is loss / ||G||^2 along G, whatever the learning rate.
    Rig rig(
        optimizer_from(R"({"step_size": "momo", "schedule": {"type": "constant"}, "groups": {"all": {"match": "rest",
        "learning_rate": 0.01, )" +
                       sgd + "}}}"),
        {matrix("w", kRows, kCols)});
    rig.set_gradient(0, gradient(1));
    rig.step(1, 1, 1, 3);
    const Values g = gradient(1), w = doubles(rig.weights(0));
    for (std::size_t k = 0; k < w.size(); ++k) ASSERT_NEAR(w[k], -3 / dot(g, g) * g[k], 1e-6 * 0.3);
}

TEST(StepSize, AdamsInnerProductsAreOfItsAverages) {
    // <m, m / (sqrt(v) + epsilon)>: with v = m^2 at the first step, the sum of |m|; the step is loss / that, a sign.
    Rig rig(
        optimizer_from(R"({"step_size": "momo", "schedule": {"type": "constant"}, "groups": {"all": {"match": "rest",
        "learning_rate": 100, "estimator": {"type": "adam", "start": "gradient", "epsilon": 1e-20}}}})"),
        {matrix("w", kRows, kCols)});
    rig.set_gradient(0, gradient(1));
    rig.step(1, 1, 1, 3);
    double magnitudes = 0;
    for (const double v : gradient(1)) magnitudes += std::abs(v);
    const Values w = doubles(rig.weights(0));
    for (const double v : w) ASSERT_NEAR(std::abs(v), 3 / magnitudes, 1e-5 * 3 / magnitudes);
}

TEST(StepSize, ClipIsSteepestDescentNearAMinimum) {
    const auto clipped = [](const std::string& largest) {
        return walk(ema(0.9, 0.9) + R"(, "geometry": "sign")",
                    R"("step_size": {"type": "clip", "largest": )" + largest + "}, ");
    };
    const auto signs = walk(ema(0.9, 0.9) + R"(, "geometry": "sign")");
    EXPECT_TRUE(same_bytes(clipped("1"), signs));  // l1 norms are 24 to 75 here
    EXPECT_TRUE(same_bytes(clipped("1e9"), walk(ema(0.9, 0.9) + R"(, "geometry": "sign", "length": "dual")")));
}

// Defazio et al., section 2: with equal weights the average is the mean of all fast points, here of an SGD that the
// gradients, which do not depend on the point, let run as it would alone.
TEST(Averaging, IsTheMeanOfAllFastPoints) {
    const std::string sgd = R"("estimator": "dual_ema")";
    Rig plain(one_group(0.01, sgd), {matrix("w", kRows, kCols)}),
        averaged(one_group(0.01, sgd + R"(, "averaging": "schedule_free")"), {matrix("w", kRows, kCols)});
    const Values start = normal(kRows * kCols, "start");
    plain.set_weights(0, start), averaged.set_weights(0, start);
    Values mean(start.size());
    for (int t = 1; t <= kSteps; ++t) {
        plain.set_gradient(0, gradient(t)), averaged.set_gradient(0, gradient(t));
        plain.step(), averaged.step();
        const Values w = doubles(plain.weights(0));
        for (std::size_t k = 0; k < w.size(); ++k) mean[k] += (w[k] - mean[k]) / t;
        // Each step rounds the points a few times, and the average is what is left of them over beta.
        expect_close("step " + std::to_string(t), averaged.evaluated(0), mean, {10.0 * t * kF32 * 5 / 0.9, 0});
    }
}

TEST(Averaging, IsWhatIsEvaluatedOnlyWhereThereIsOne) {
    Rig rig(optimizer_from(R"({"groups": {
        "matrices": {"match": {"roles": ["matrix"]}, "learning_rate": 0.1, "estimator": "dual_ema",
                     "averaging": "schedule_free"},
        "rest": {"match": "rest", "learning_rate": 0.1, "estimator": "dual_ema"}}})"),
            {vector("b", 5), matrix("w", 4, 4)});
    EXPECT_EQ(rig.optimizer.averaged(), (std::vector<bool>{false, true}));
}

std::string error_of(const std::string& pipeline) {
    try {
        Optimizer(one_group(1, pipeline), std::vector<ParamSpec>{matrix("w", 4, 4), vector("b", 3)});
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

TEST(Stages, ThatDoNotFitAreRefused) {
    EXPECT_EQ(error_of(R"("estimator": "dual_ema", "length": "dual", "refinement": "sign")"),
              "optimizer group \"all\": lengths and step sizes that depend on inner products of estimate and direction "
              "want precondition and refinement \"none\"");
    EXPECT_EQ(
        error_of(R"("estimator": "dual_ema", "length": "dual", "geometry": {"type": "frobenius", "scope": "group"})"),
        "optimizer group \"all\": geometry \"frobenius\" with these options has no dual norm of single tensors, "
        "which length and step_size want");
    EXPECT_EQ(error_of(R"("estimator": "dual_ema", "refinement": "row_moments")"),
              "optimizer group \"all\": refinement \"row_moments\" needs matrices; found parameter \"b\" (bias, shape "
              "(3))");
}

}  // namespace
}  // namespace steepest::testing
