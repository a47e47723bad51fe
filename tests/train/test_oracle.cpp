// The oracle on a problem whose gradient is known in closed form and which writes down what it was asked.
#include "tests/train/oracle_fixture.h"

namespace steepest::testing {
namespace {

TEST_F(OracleTest, TheGradientIsTheMeanOverAllMicroBatches) {
    Rig rig(shard(), SecondGradient::none);
    for (std::int64_t step = 1; step <= kSteps; ++step) {
        rig.problem.calls.clear();
        rig.oracle.load(step, rig.hash), rig.oracle.compute(step);
        const Expected expected({rig.weights(0), rig.weights(1)}, (step - 1) * kBatch, kBatch);
        expect_gradient(rig.store.gradients(), expected);
        const StepReading reading = rig.oracle.read();
        EXPECT_NEAR(reading.norm, expected.norm, 32 * kF32 * expected.norm);
        EXPECT_NEAR(value(rig.oracle.gradients().scale), expected.factor(), 32 * kF32);
        EXPECT_EQ(reading.ok, 1);
        ASSERT_EQ(rig.problem.calls.size(), std::size_t{kBatch / kMicro});
        for (std::size_t k = 0; k < rig.problem.calls.size(); ++k) {
            EXPECT_EQ(rig.problem.calls[k].first_sample, (step - 1) * kBatch + std::int64_t(k) * kMicro);
            EXPECT_EQ(rig.problem.calls[k].sequences, kMicro);
            EXPECT_EQ(rig.problem.calls[k].accumulate, k > 0);
        }
        rig.oracle.before_update(step);
        rig.move_weights(step);
    }
    EXPECT_EQ(rig.oracle.gradients_taken(), kSteps * kBatch / kMicro);
    EXPECT_EQ(rig.oracle.second_gradients_taken(), 0);
    EXPECT_TRUE(rig.oracle.gradients().previous.empty());
}

// What variance reduction stands on: the same batch, all of it, at the weights of the step before, clipped by its own
// norm.
TEST_F(OracleTest, TheSecondGradientIsOfTheWholeSameBatchAtThePreviousWeights) {
    for (const SecondGradient mode : {SecondGradient::previous_weights, SecondGradient::prefetch}) {
        SCOPED_TRACE(mode == SecondGradient::prefetch ? "prefetch" : "previous_weights");
        Rig rig(shard(), mode);
        std::vector<std::vector<float>> before;
        for (std::int64_t step = 1; step <= kSteps; ++step) {
            const std::vector<std::vector<float>> current = {rig.weights(0), rig.weights(1)};
            rig.oracle.load(step, rig.hash), rig.oracle.compute(step);
            const StepGradients gradients = rig.oracle.gradients();
            const Expected own(current, (step - 1) * kBatch, kBatch);
            expect_gradient(rig.store.gradients(), own);
            EXPECT_NEAR(value(gradients.scale), own.factor(), 32 * kF32);
            if (step == 1) {
                EXPECT_EQ(value(gradients.previous_scale), 0) << "the first step has no step before it";
                for (const Tensor& t : gradients.previous)
                    for (std::int64_t j = 0; j < t.count(); ++j) EXPECT_EQ(t.as<float>()[j], 0);
            } else {
                const Expected previous(before, (step - 1) * kBatch, kBatch);
                expect_gradient(gradients.previous, previous);
                EXPECT_NEAR(value(gradients.previous_scale), previous.factor(), 32 * kF32);
                EXPECT_LT(previous.factor(), 1) << "the test clips nothing";
                EXPECT_GT(std::abs(previous.factor() - own.factor()), 1e-3) << "the test cannot tell the two apart";
            }
            rig.oracle.before_update(step);
            rig.move_weights(step);
            before = current;
        }
        const std::int64_t k = kBatch / kMicro;
        EXPECT_EQ(rig.oracle.gradients_taken(), kSteps * k);
        // Prefetched ones are one step ahead, so that a run can be extended; kept weights begin with the second step.
        EXPECT_EQ(rig.oracle.second_gradients_taken(),
                  mode == SecondGradient::prefetch ? kSteps * k : (kSteps - 1) * k);

        // Sample by sample, from the calls themselves.
        std::vector<int> taken((kSteps + 1) * kBatch), second(taken);
        const void* into = rig.store.gradients()[0].data;
        for (const auto& call : rig.problem.calls)
            for (std::int64_t s = 0; s < call.sequences; ++s)
                ++(call.into == into ? taken : second).at(call.first_sample + s);
        for (std::int64_t s = 0; s < std::int64_t(taken.size()); ++s) {
            EXPECT_EQ(taken[s], s < kSteps * kBatch) << s;
            const bool wanted = s >= kBatch && (mode == SecondGradient::prefetch || s < kSteps * kBatch);
            EXPECT_EQ(second[s], wanted) << s;
        }
    }
}

// Muon-MVR3's: the batch of the step before, all of it, at the weights of this step.
TEST_F(OracleTest, TheReplayedGradientIsOfTheBatchBeforeAtTheCurrentWeights) {
    Rig rig(shard(), SecondGradient::previous_batch);
    for (std::int64_t step = 1; step <= kSteps; ++step) {
        const std::vector<std::vector<float>> current = {rig.weights(0), rig.weights(1)};
        rig.oracle.load(step, rig.hash), rig.oracle.compute(step);
        const StepGradients gradients = rig.oracle.gradients();
        expect_gradient(rig.store.gradients(), Expected(current, (step - 1) * kBatch, kBatch));
        if (step == 1) {
            EXPECT_EQ(value(gradients.previous_scale), 0);
        } else {
            const Expected replayed(current, (step - 2) * kBatch, kBatch);
            expect_gradient(gradients.previous, replayed);
            EXPECT_NEAR(value(gradients.previous_scale), replayed.factor(), 32 * kF32);
        }
        rig.oracle.before_update(step);
        rig.move_weights(step);
    }
    EXPECT_EQ(rig.oracle.second_gradients_taken(), (kSteps - 1) * kBatch / kMicro);
    EXPECT_EQ(rig.oracle.gradients_per_step(), 2);
}

TEST_F(OracleTest, BothSecondGradientsAreEqualToTheLastBit) {
    Rig kept(shard(), SecondGradient::previous_weights), prefetched(shard(), SecondGradient::prefetch);
    for (std::int64_t step = 1; step <= kSteps; ++step) {
        std::vector<std::vector<float>> seen[2];
        int which = 0;
        for (Rig* rig : {&kept, &prefetched}) {
            rig->oracle.load(step, rig->hash), rig->oracle.compute(step);
            const StepGradients g = rig->oracle.gradients();
            for (const Tensor& t : g.previous) seen[which].emplace_back(t.as<float>(), t.as<float>() + t.count());
            seen[which].push_back({static_cast<float>(value(g.previous_scale)), static_cast<float>(value(g.scale))});
            ++which;
            rig->oracle.before_update(step);
            rig->move_weights(step);
        }
        EXPECT_EQ(seen[0], seen[1]) << "step " << step;
        EXPECT_EQ(kept.hash.state(), prefetched.hash.state());
    }
}

// After a step that changed nothing, "the previous weights" are still those before the last step that did.
TEST_F(OracleTest, ABadStepKeepsThePreviousWeights) {
    Rig rig(shard(), SecondGradient::previous_weights);
    std::vector<std::vector<float>> before;
    for (std::int64_t step = 1; step <= kSteps; ++step) {
        const std::vector<std::vector<float>> current = {rig.weights(0), rig.weights(1)};
        rig.problem.bad = step == 3;
        rig.oracle.load(step, rig.hash), rig.oracle.compute(step);
        EXPECT_EQ(rig.oracle.read().ok, step == 3 ? 0 : 1);
        if (step > 1 && step != 3)
            expect_gradient(rig.oracle.gradients().previous, Expected(before, (step - 1) * kBatch, kBatch));
        rig.oracle.before_update(step);
        if (step == 3) continue;
        rig.move_weights(step);
        before = current;
    }
}

// A second gradient that is not finite makes the step bad that would use it, and no other.
TEST_F(OracleTest, ABadSecondGradientMakesItsStepBad) {
    Rig rig(shard(), SecondGradient::prefetch);
    for (std::int64_t step = 1; step <= 4; ++step) {
        rig.problem.bad = false;
        rig.oracle.load(step, rig.hash), rig.oracle.compute(step);
        EXPECT_EQ(rig.oracle.read().ok, step == 3 ? 0 : 1) << step;
        rig.problem.bad = step == 2;  // the one prefetched for step 3
        rig.oracle.before_update(step);
        rig.move_weights(step);
    }
}

// Where the host runs ahead, the step behind a bad one is taken before anyone knows: it must say of itself that it is
// void, and taking it again must give what it had given if it had come after the verdict.
TEST_F(OracleTest, AStepBehindABadOneIsVoidAndCanBeTakenAgain) {
    for (const SecondGradient mode : {SecondGradient::previous_weights, SecondGradient::prefetch}) {
        SCOPED_TRACE(mode == SecondGradient::prefetch ? "prefetch" : "previous_weights");
        Rig ahead(shard(), mode), waiting(shard(), mode);
        const auto take = [](Rig& rig, std::int64_t step, Verdicts before) {
            rig.problem.bad = step == 3;
            rig.oracle.load(step, rig.hash, before), rig.oracle.compute(step);
            // The prefetched gradient is finite also in the bad step.
            rig.problem.bad = false;
            rig.oracle.before_update(step);
            const float ok = rig.oracle.read().ok;
            if (ok != 0) rig.move_weights(step);
            return ok;
        };
        for (Rig* rig : {&ahead, &waiting})
            for (std::int64_t step = 1; step <= 3; ++step)
                EXPECT_EQ(take(*rig, step, Verdicts::known), step == 3 ? 0 : 1) << step;
        EXPECT_EQ(take(ahead, 4, Verdicts::pending), 0);
        ahead.oracle.repeat_before_update(3);
        for (std::int64_t step = 4; step <= kSteps; ++step) {
            const Verdicts before = step == 4 ? Verdicts::known : Verdicts::pending;
            EXPECT_EQ(take(ahead, step, before), 1) << step;
            EXPECT_EQ(take(waiting, step, Verdicts::known), 1) << step;
            const StepGradients a = ahead.oracle.gradients(), b = waiting.oracle.gradients();
            EXPECT_EQ(value(a.previous_scale), value(b.previous_scale)) << step;
            for (std::size_t i = 0; i < a.previous.size(); ++i)
                for (std::int64_t j = 0; j < a.previous[i].count(); ++j)
                    ASSERT_EQ(a.previous[i].as<float>()[j], b.previous[i].as<float>()[j]) << step;
            EXPECT_EQ(ahead.weights(0), waiting.weights(0)) << step;
        }
    }
}

TEST_F(OracleTest, ARankTakesItsShareAndExchangesEverything) {
    Rig rig(shard(), SecondGradient::previous_weights, 1, 3);
    for (std::int64_t step = 1; step <= 2; ++step) {
        rig.problem.calls.clear();
        rig.oracle.load(step, rig.hash), rig.oracle.compute(step);
        ASSERT_EQ(rig.problem.calls.size(), std::size_t(step));  // two sequences a rank, one micro-batch
        for (const auto& call : rig.problem.calls) EXPECT_EQ(call.first_sample, (step - 1) * kBatch + 2);
        EXPECT_EQ(rig.comm.exchanged.size(), rig.store.specs().size() + 1) << "all gradients and the loss";
        expect_gradient(rig.store.gradients(), Expected({rig.weights(0), rig.weights(1)}, (step - 1) * kBatch + 2, 2));
        rig.oracle.before_update(step);
    }
}

}  // namespace
}  // namespace steepest::testing
