// Gradients from losses alone and from single sequences, on the problem of oracle_fixture.h.
#include "tests/reference/orthogonalize.h"
#include "tests/train/oracle_fixture.h"

namespace steepest::testing {
namespace {

// Of what is quadratic with the identity as its second derivative, losses say exactly: s = <gradient, D> on both sides,
// and <gradient, D> + mu ||D||^2 / 2 on one.
double along(const Expected& expected, const std::vector<std::vector<double>>& direction) {
    double sum = 0;
    for (std::size_t i = 0; i < direction.size(); ++i)
        for (std::size_t j = 0; j < direction[i].size(); ++j) sum += expected.gradient[i][j] * direction[i][j];
    return sum;
}
double squares(const std::vector<std::vector<double>>& direction) {
    double sum = 0;
    for (const auto& d : direction)
        for (const double x : d) sum += x * x;
    return sum;
}

// Losses are about 15 and rounded after each micro-batch.
constexpr double kDistance = 0.125, kLossRounding = 4 * kF32 * 32;

TEST_F(OracleTest, TwoLossesGiveTheSlopeAlongARandomBlock) {
    Rig rig(shard(), SecondGradient::none, 0, 1, ZerothOrderConfig{.distance = kDistance, .fraction = 0.4});
    std::vector<std::vector<double>> last;
    for (std::int64_t step = 1; step <= kSteps; ++step) {
        const std::vector<std::vector<float>> before = {rig.weights(0), rig.weights(1)};
        rig.problem.losses = 0;
        rig.take(step);
        EXPECT_EQ(rig.problem.losses, 2 * kBatch / kMicro);
        EXPECT_TRUE(rig.problem.calls.empty()) << "no gradient is taken";
        EXPECT_EQ(before, (std::vector<std::vector<float>>{rig.weights(0), rig.weights(1)})) << "weights stay";
        const Random rows(5, "oracle/zeroth_order/rows", static_cast<std::uint64_t>(step)),
            columns(5, "oracle/zeroth_order/columns", static_cast<std::uint64_t>(step));
        std::vector<std::vector<double>> direction{std::vector<double>(15), std::vector<double>(7)};
        for (std::uint64_t j = 0; j < 15; ++j)
            direction[0][j] = rows.uniform(j / 5) < 0.4 && columns.uniform(j % 5) < 0.4;
        for (std::uint64_t j = 0; j < 7; ++j) direction[1][j] = columns.uniform((std::uint64_t{1} << 33) + j) < 0.4;
        for (std::size_t i = 0; i < 2; ++i) {
            const float* at = rig.store.gradients()[i].as<float>();
            EXPECT_EQ(std::vector<double>(at, at + direction[i].size()), direction[i]) << step;
        }
        const Expected expected(before, (step - 1) * kBatch, kBatch);
        const double slope = along(expected, direction), norm = std::abs(slope) * std::sqrt(squares(direction)),
                     rounding = kLossRounding / kDistance;
        const StepReading reading = rig.oracle.read();
        EXPECT_NEAR(reading.norm, norm, rounding * std::sqrt(squares(direction)));
        EXPECT_NEAR(value(rig.oracle.gradients().scale), slope * (norm > kMaxNorm ? kMaxNorm / norm : 1), rounding);
        EXPECT_EQ(reading.ok, 1);
        EXPECT_NE(direction, last) << "another block a step";
        last = direction;
        rig.move_weights(step);
    }
    EXPECT_EQ(rig.oracle.gradients_taken(), 0);
    EXPECT_EQ(rig.oracle.gradients_per_step(), 0);
    EXPECT_EQ(rig.oracle.losses_per_step(), 2);
}

TEST_F(OracleTest, LossesInASubspaceGiveAGradientInIt) {
    constexpr std::int64_t kRank = 2, kQueries = 3, kEvery = 2;
    Rig rig(shard(), SecondGradient::none, 0, 1,
            ZerothOrderConfig{
                .directions = "subspaces", .distance = kDistance, .rank = kRank, .queries = kQueries, .every = kEvery});
    using reference::Dense;
    for (std::int64_t step = 1; step <= kSteps; ++step) {
        const std::vector<std::vector<float>> before = {rig.weights(0), rig.weights(1)};
        rig.take(step);
        const Random subspace(5, "oracle/zeroth_order/subspace", static_cast<std::uint64_t>((step - 1) / kEvery));
        Dense omega(kRank, 3);
        for (std::uint64_t j = 0; j < omega.data.size(); ++j) omega.data[j] = subspace.normal(j);
        const Dense p = reference::orthonormal_columns(omega.t());  // (3, rank)
        const Expected expected(before, (step - 1) * kBatch, kBatch);
        std::vector<std::vector<double>> gradient{std::vector<double>(15), std::vector<double>(7)};
        for (int q = 0; q < kQueries; ++q) {
            const Random random(5, "oracle/zeroth_order/direction " + std::to_string(q),
                                static_cast<std::uint64_t>(step));
            Dense psi(kRank, 5);
            for (std::uint64_t j = 0; j < psi.data.size(); ++j) psi.data[j] = random.normal(j);
            std::vector<std::vector<double>> direction{(p * psi).data, std::vector<double>(7)};
            for (std::uint64_t j = 0; j < 7; ++j) direction[1][j] = random.normal((std::uint64_t{1} << 33) + j);
            const double slope = along(expected, direction) + kDistance / 2 * squares(direction);
            for (std::size_t i = 0; i < 2; ++i)
                for (std::size_t j = 0; j < direction[i].size(); ++j)
                    gradient[i][j] += slope * direction[i][j] / kQueries;
        }
        for (std::size_t i = 0; i < 2; ++i) {
            const float* at = rig.store.gradients()[i].as<float>();
            // Directions are normal numbers, at most 4; the losses along them up to ten times those at the weights.
            expect_close("gradient", std::vector<float>(at, at + gradient[i].size()), gradient[i],
                         {4 * 10 * kLossRounding / kDistance, 0});
        }
        rig.move_weights(step);
    }
    EXPECT_EQ(rig.oracle.losses_per_step(), kQueries + 1);
}

// A loss that is not a number makes the step bad.
TEST_F(OracleTest, ABadLossMakesTheStepBad) {
    for (const char* directions : {"blocks", "subspaces"}) {
        Rig rig(shard(), SecondGradient::none, 0, 1, ZerothOrderConfig{.directions = directions, .rank = 2});
        rig.take(1);
        EXPECT_EQ(rig.oracle.read().ok, 1);
        rig.store.masters()[0].as<float>()[0] = NAN;
        rig.take(2);
        EXPECT_EQ(rig.oracle.read().ok, 0);
    }
}

// Sequence by sequence: cut, summed, noised.
TEST_F(OracleTest, PrivateGradientsAreOfCutSequencesAndNoise) {
    for (const double noise : {0.0, 0.75}) {
        constexpr double kClip = 3;
        Rig rig(shard(), SecondGradient::none, 0, 1, {}, PrivacyConfig{.clip = kClip, .noise = noise});
        int cut = 0, whole = 0;
        for (std::int64_t step = 1; step <= kSteps; ++step) {
            const std::vector<std::vector<float>> before = {rig.weights(0), rig.weights(1)};
            rig.problem.calls.clear();
            rig.take(step);
            ASSERT_EQ(rig.problem.calls.size(), std::size_t{kBatch});
            for (const auto& call : rig.problem.calls) EXPECT_EQ(call.sequences, 1);
            const Random random(5, "oracle/privacy/noise", static_cast<std::uint64_t>(step));
            for (std::size_t i = 0; i < 2; ++i) {
                std::vector<double> expected(before[i].size());
                for (std::int64_t s = (step - 1) * kBatch; s < step * kBatch; ++s) {
                    const Expected one(before, s, 1);
                    double norm = 0;
                    for (const double g : one.gradient[i]) norm += g * g;
                    norm = std::sqrt(norm);
                    ++(norm > kClip ? cut : whole);
                    for (std::size_t j = 0; j < expected.size(); ++j)
                        expected[j] += one.gradient[i][j] / std::max(1.0, norm / kClip) / kBatch;
                }
                for (std::uint64_t j = 0; j < expected.size(); ++j)
                    expected[j] += noise * kClip / kBatch * random.normal((std::uint64_t{i} << 33) + j);
                const float* at = rig.store.gradients()[i].as<float>();
                expect_close("gradient", std::vector<float>(at, at + expected.size()), expected,
                             {20 * kF32 * kClip, 0});
            }
            rig.move_weights(step);
        }
        EXPECT_GT(cut, 5);
        EXPECT_GT(whole, 5);
        EXPECT_EQ(rig.oracle.gradients_per_step(), 1);
    }
}

}  // namespace
}  // namespace steepest::testing
