// Steps of a real model: what a bad one leaves alone, what the two second gradients agree on, what a step costs.
#include "tests/train/run_fixture.h"
#include "train/stepper.h"

#include <cmath>

namespace steepest {
namespace {

class StepperTest : public testing::RunTest {
protected:
    // One stepper with its machine.
    struct Rig {
        explicit Rig(const RunConfig& config, int threads = 2)
            : backend(testing::backend_under_test(config, threads)), comm(make_single()), stepper(config, *comm) {
            stepper.allocate(backend.device());
            stepper.runner().parameters().initialize(config.init_seed());
        }
        StepReport step(std::int64_t k) { return stepper.step(k, hash); }
        // Every byte that training keeps, by name.
        std::map<std::string, std::string> bytes() {
            std::map<std::string, std::string> all;
            auto add = [&](const std::vector<NamedTensor>& list) {
                for (const NamedTensor& t : list) {
                    std::string& to = all[t.name] = std::string(t.tensor.bytes(), 0);
                    copy_to_host(backend.device(), to.data(), t.tensor.data, t.tensor.bytes());
                }
            };
            add(stepper.runner().named_weights());
            add(stepper.named_state());
            return all;
        }
        Tensor weight(const std::string& name) {
            for (const NamedTensor& t : stepper.runner().named_weights())
                if (t.name == name) return t.tensor;
            throw std::runtime_error("no parameter " + name);
        }
        // Puts `value` in the first place of a parameter; gives what was there.
        float exchange(const std::string& name, float value) {
            float before = 0;
            copy_to_host(backend.device(), &before, weight(name).data, sizeof before);
            copy_to_device(backend.device(), weight(name).data, &value, sizeof value);
            return before;
        }
        cli::Backend backend;
        std::unique_ptr<Communicator> comm;
        Stepper stepper;
        TokenStreamHash hash;
    };
    static void expect_same_bytes(const std::map<std::string, std::string>& a,
                                  const std::map<std::string, std::string>& b) {
        ASSERT_EQ(a.size(), b.size());
        for (const auto& [name, bytes] : a) EXPECT_TRUE(bytes == b.at(name)) << name << " has changed";
    }
};

const std::vector<std::string> kOptimizers = testing::preset_names("optimizers");

// The gate: a bad step leaves weights and state alone to the last bit, whatever the optimizer, and training goes on.
TEST_F(StepperTest, ABadStepChangesNothing) {
    for (const std::string& optimizer : kOptimizers)
        for (const char* compute : {"fp32", "bf16"}) {
            SCOPED_TRACE(optimizer + " " + compute);
            Rig rig(config({"optimizer=" + optimizer, std::string("precision.compute=") + compute}));
            for (std::int64_t k = 1; k <= 3; ++k) ASSERT_TRUE(rig.step(k).ok());

            const float healthy = rig.exchange("h.1.ln_2.weight", std::numeric_limits<float>::infinity());
            const auto before = rig.bytes();
            const StepReport report = rig.step(4);
            EXPECT_FALSE(report.ok());
            expect_same_bytes(before, rig.bytes());
            EXPECT_EQ(rig.stepper.find_culprit(4).substr(0, 15), "h.1.ln_2.weight");
            expect_same_bytes(before, rig.bytes());
            EXPECT_FALSE(rig.step(5).ok());
            expect_same_bytes(before, rig.bytes());

            rig.exchange("h.1.ln_2.weight", healthy);
            EXPECT_TRUE(rig.step(6).ok());
            EXPECT_NE(before.at("wte.weight"), rig.bytes().at("wte.weight"));
        }
}

// The host runs ahead where it can: of two steps under way, a bad one voids the other, its culprit is found with the
// weights it had, and the run goes on to the bytes of one that always waited.
TEST_F(StepperTest, RunningAheadOfABadStepChangesNothingEither) {
    for (const char* second : {"previous_weights", "prefetch"}) {
        const RunConfig run = config({"optimizer=muon-mvr2", std::string("second_gradient=") + second});
        Rig ahead(run), waiting(run);
        const std::string name = "h.1.ln_2.weight";
        for (std::int64_t k = 1; k <= 3; ++k)
            for (Rig* rig : {&ahead, &waiting}) ASSERT_TRUE(rig->step(k).ok());

        const float healthy = ahead.exchange(name, std::numeric_limits<float>::infinity());
        waiting.exchange(name, std::numeric_limits<float>::infinity());
        TokenStreamHash discarded;
        for (int k = 0; k < ahead.stepper.most_under_way(); ++k) ahead.stepper.start(4 + k, discarded);
        EXPECT_FALSE(ahead.stepper.finish().ok());
        EXPECT_FALSE(waiting.step(4).ok());
        expect_same_bytes(ahead.bytes(), waiting.bytes());
        EXPECT_EQ(ahead.stepper.find_culprit(4).substr(0, name.size()), name);
        ahead.exchange(name, healthy), waiting.exchange(name, healthy);
        // A gradient prefetched in the bad step was taken at the bad weights, so the next step is bad in both.
        for (std::int64_t k = 5; k <= 8; ++k) EXPECT_EQ(ahead.step(k).reading.loss, waiting.step(k).reading.loss) << k;
        expect_same_bytes(ahead.bytes(), waiting.bytes());
    }
}

// Whatever holds the first number that is not finite is named, also when it is no weight.
TEST_F(StepperTest, TheCulpritIsTheFirstBadTensor) {
    for (const char* name :
         {"wte.weight", "wpe.weight", "h.0.attn.c_attn.weight", "h.1.mlp.c_proj.bias", "ln_f.bias"}) {
        Rig rig(config());
        rig.exchange(name, NAN);
        EXPECT_FALSE(rig.step(1).ok());
        const std::string culprit = rig.stepper.find_culprit(1);
        EXPECT_EQ(culprit.substr(0, culprit.find(' ')), name) << culprit;
    }
    // Finite weights whose products overflow: the tensor that first holds the infinity.
    Rig rig(config());
    const Tensor weight = rig.weight("h.0.mlp.c_fc.weight");
    // Of both signs: the rows they meet have mean zero, and a sum in double would not overflow on the way.
    std::vector<float> values(weight.count());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 2 ? -3e38f : 3e38f;
    copy_to_device(rig.backend.device(), weight.data, values.data(), weight.bytes());
    EXPECT_FALSE(rig.step(1).ok());
    const std::string culprit = rig.stepper.find_culprit(1);
    EXPECT_NE(culprit.find("is not finite"), std::string::npos) << culprit;
    EXPECT_EQ(culprit.find("h.0.mlp.c_fc.weight"), std::string::npos) << culprit;
    // Nothing of the search stays behind: the ops are not checked afterwards.
    EXPECT_FALSE(rig.step(2).ok());
}

TEST_F(StepperTest, KeptWeightsAndPrefetchedGradientsAreEqualToTheLastBit) {
    for (const char* compute : {"fp32", "bf16"}) {
        const auto rig = [&](const char* second) {
            return Rig(config({"optimizer=muon-mvr2", std::string("precision.compute=") + compute,
                               std::string("second_gradient=") + second}));
        };
        Rig kept = rig("previous_weights"), prefetched = rig("prefetch");
        for (std::int64_t k = 1; k <= 8; ++k) {
            const StepReading a = kept.step(k).reading, b = prefetched.step(k).reading;
            EXPECT_EQ(a.loss, b.loss);
            EXPECT_EQ(a.norm, b.norm);
            EXPECT_EQ(a.factor, b.factor);
        }
        const auto a = kept.bytes(), b = prefetched.bytes();
        int compared = 0;
        for (const auto& [name, bytes] : a)
            if (b.contains(name)) {
                EXPECT_TRUE(bytes == b.at(name)) << name;
                ++compared;
            }
        EXPECT_GT(compared, 28) << "all weights and the optimizer's state";
        EXPECT_EQ(kept.hash.state(), prefetched.hash.state());
        // Two micro-batches a step.
        EXPECT_EQ(kept.stepper.oracle().second_gradients_taken(), 2 * 7);
        EXPECT_EQ(prefetched.stepper.oracle().second_gradients_taken(), 2 * 8);
    }
}

TEST_F(StepperTest, ThreadsDecideNoBit) {
    for (const char* compute : {"fp32", "bf16"})
        for (const char* optimizer : {"adamw", "muon-mvr2", "normalized-sgd"}) {
            SCOPED_TRACE(std::string(compute) + " " + optimizer);
            const RunConfig run = config(
                {std::string("optimizer=") + optimizer, std::string("precision.compute=") + compute, "model.width=32"});
            std::vector<std::map<std::string, std::string>> all;
            for (const int threads : {1, 2, 3}) {
                Rig rig(run, threads);
                for (std::int64_t k = 1; k <= 6; ++k) rig.step(k);
                all.push_back(rig.bytes());
            }
            expect_same_bytes(all[0], all[1]);
            expect_same_bytes(all[0], all[2]);
        }
}

// Micro-batches are summed in another order and nothing else: first gradients agree to rounding.
TEST_F(StepperTest, MicroBatchesChangeOnlyRounding) {
    std::vector<std::vector<float>> gradients;
    std::vector<float> losses;
    std::vector<std::uint64_t> hashes;
    for (const char* micro : {"1", "2", "4", "0"}) {
        Rig rig(config({std::string("micro_batch=") + micro, "max_gradient_norm=0"}));
        TokenStreamHash hash;
        rig.stepper.optimizer().begin_step(1, 8);
        rig.stepper.oracle().load(1, hash), rig.stepper.oracle().compute(1);
        hashes.push_back(hash.state());
        losses.push_back(rig.stepper.oracle().read().loss);
        auto& all = gradients.emplace_back();
        for (const Tensor& t : rig.stepper.runner().parameters().gradients()) {
            std::vector<float> values(t.count());
            copy_to_host(rig.backend.device(), values.data(), t.data, t.bytes());
            all.insert(all.end(), values.begin(), values.end());
        }
    }
    for (std::size_t k = 1; k < gradients.size(); ++k) {
        double difference = 0, norm = 0;
        for (std::size_t i = 0; i < gradients[0].size(); ++i) {
            difference += std::pow(double(gradients[k][i]) - gradients[0][i], 2);
            norm += std::pow(double(gradients[0][i]), 2);
        }
        // Sums of 32 tokens of f32 terms through two layers: some hundred roundings, relative to the norm.
        EXPECT_LT(std::sqrt(difference / norm), 300 * 0x1p-24) << k;
        EXPECT_NEAR(losses[k], losses[0], 100 * 0x1p-24 * losses[0]);
        EXPECT_EQ(hashes[k], hashes[0]) << "the tokens are the same";
    }
    EXPECT_EQ(gradients[2], gradients[3]) << "0 is the whole batch";
}

TEST_F(StepperTest, WhatDoesNotDivideIsRefused) {
    EXPECT_NE(testing::message_of<InputError>([&] { Rig(config({"micro_batch=3"})); }).find("/micro_batch: 3"),
              std::string::npos);
}

// What is planned depends on the model and the batch, not on how long it trains.
TEST_F(StepperTest, MemoryPlannedIsIndependentOfSteps) {
    const auto comm = make_single();
    const auto plan = [&](const RunConfig& run) {
        const Stepper stepper(run, *comm);
        std::map<std::string, std::int64_t> bytes;
        for (const MemoryLine& line : const_cast<Stepper&>(stepper).runner().memory()) bytes[line.what] = line.bytes;
        return bytes;
    };
    for (const std::string& optimizer : kOptimizers) {
        const auto few = plan(config({"optimizer=" + optimizer, "steps=10"}));
        EXPECT_EQ(few, plan(config({"optimizer=" + optimizer, "steps=1000000000"}))) << optimizer;
        // Nor does accumulation cost memory, but for the tokens of the step, which go to the device at once: one
        // micro-batch's activations, one set of gradients.
        auto accumulated = plan(config({"optimizer=" + optimizer, "batch=64", "micro_batch=2"}));
        const std::int64_t more_sequences = 64 - 4, context = 8, batches = optimizer == "muon-mvr3" ? 2 : 1;
        accumulated["scratch"] -= batches * more_sequences * context * 2 * std::int64_t{sizeof(std::int32_t)};
        EXPECT_EQ(few, accumulated) << optimizer;
    }
}

}  // namespace
}  // namespace steepest
