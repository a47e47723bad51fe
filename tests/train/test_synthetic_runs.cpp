// Runs of synthetic problems: the same trainer, log, checkpoints and second gradients as GPT-2's.
#include "tests/close.h"
#include "tests/train/run_fixture.h"

#include <cmath>

namespace steepest {
namespace {

using testing::expect_same_run;
using testing::kF32;
using testing::log_lines;

class SyntheticRunTest : public testing::RunTest {
protected:
    SyntheticRunTest() {
        write_file(path("synthetic.json"), R"({
            "problem": {"type": "matrix_quadratic", "rows": 4, "cols": 3, "condition": 4, "curvature_noise": 0.1},
            "optimizer": "storm", "max_gradient_norm": 0,
            "batch": 4, "micro_batch": 2, "steps": 8, "runs": ")" +
                                               path("runs") + R"(",
            "evaluation": {"every": 2}, "checkpoint": {"every": 4, "keep": 0}
        })");
    }
    RunConfig synthetic(const Sets& sets = {}) const { return load_config<RunConfig>(path("synthetic.json"), sets); }
    std::string run(const std::string& name, const Sets& sets = {}) const { return run(name, sets, How{}); }
    std::string run(const std::string& name, const Sets& sets, const How& how) const {
        return train(name, synthetic(sets), how);
    }
    std::string refusal(const Sets& sets) const {
        return testing::message_of<InputError>([&] { synthetic(sets); });
    }
    static std::vector<Json> lines(const std::string& run, const std::string& kind) {
        std::vector<Json> found;
        for (const std::string& line : log_lines(run + "/log.jsonl"))
            if (Json json = Json::parse(line); json.at("kind") == kind) found.push_back(std::move(json));
        return found;
    }
};

TEST_F(SyntheticRunTest, TheLogSaysWhatTheoryMeasures) {
    const std::string path = run("a");
    const auto evals = lines(path, "eval"), trains = lines(path, "train");
    ASSERT_EQ(evals.size(), 5u);
    ASSERT_EQ(trains.size(), 8u);
    EXPECT_EQ(lines(path, "start")[0].at("model"), "matrix_quadratic");
    EXPECT_EQ(trains[7].at("tokens"), 32) << "a sample counts as one";

    // <W, A W> / 2 of the first weights, by hand.
    const std::vector<float> w =
        initial_values({.name = "w", .shape = {4, 3}, .role = Role::matrix, .init = {.deviation = 1}}, 1);
    double loss = 0, l1 = 0;
    for (int i = 0; i < 12; ++i) {
        const double curvature = std::pow(4, -(i / 3) / 3.0);
        loss += curvature * w[i] * w[i] / 2, l1 += curvature * std::abs(w[i]);
    }
    EXPECT_NEAR(evals[0].at("loss").get<double>(), loss, 1e-12 * loss);
    EXPECT_NEAR(evals[0].at("exact").at("gradient_l1").get<double>(), l1, 1e-12 * l1);
    for (const Json& e : evals)
        for (const char* key : {"gradient_l2", "gradient_nuclear"}) EXPECT_TRUE(e.at("exact").contains(key));
    EXPECT_LT(evals[4].at("loss").get<double>(), evals[0].at("loss").get<double>());
}

TEST_F(SyntheticRunTest, StoppedItGoesOnAsTheWholeRunAndItsConfigReplaysIt) {
    for (const char* second : {"previous_weights", "prefetch"}) {
        const Sets sets = {std::string("second_gradient=") + second};
        const std::string whole = run(std::string("whole-") + second, sets), name = std::string("parts-") + second;
        EXPECT_THROW(run(name, sets, {.stop_at = 3}), InterruptedError);
        expect_same_run(whole, run(name, sets, {.threads = 2, .resume = true}), 8);

        const std::string config = whole + "/config.json";
        const std::string replayed = train(load_config<RunConfig>(config), {.config_path = config});
        EXPECT_NE(replayed, whole);
        expect_same_run(whole, replayed, 8);
    }
    // The noise is the batch's own: kept weights and prefetched gradients see the same.
    EXPECT_EQ(log_lines(run_path("whole-previous_weights") + "/log.jsonl", {"start"}),
              log_lines(run_path("whole-prefetch") + "/log.jsonl", {"start"}));
}

TEST_F(SyntheticRunTest, MicroBatchesChangeOnlyRounding) {
    const auto losses = [&](const char* micro_batch) {
        std::vector<double> all;
        for (const Json& e : lines(run(micro_batch, {std::string("micro_batch=") + micro_batch}), "eval"))
            all.push_back(e.at("loss"));
        return all;
    };
    const auto one = losses("1"), four = losses("4");
    // Eight steps of gradients of size 10, each rounded a few times, none of which the quadratic makes larger.
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], four[i], 8 * 10 * 10 * kF32) << i;
    EXPECT_NE(lines(run("seed", {"seeds.data=2"}), "train")[0].at("loss"), lines(run_path("1"), "train")[0].at("loss"));
}

TEST_F(SyntheticRunTest, WhatAProblemCannotDoIsRefused) {
    for (const auto& [set, part] : std::vector<std::pair<std::string, std::string>>{
             {"sampling.every=5", "/sampling/every: matrix_quadratic has nothing to sample"},
             {"device=cuda", "/device: matrix_quadratic is computed on the host"},
             {"model=nano", "/model: matrix_quadratic has no network"},
             {"data.train=[\"a\"]", "/data: matrix_quadratic makes its own samples"},
             {"problem.type=quadratic_matrix", "matrix_quadratic"},
             {"problem.rows=0", "/problem/rows"}})
        EXPECT_NE(refusal({set}).find(part), std::string::npos) << refusal({set});
    EXPECT_NE(refusal({"problem=null"}).find("/data/train: missing"), std::string::npos);

    // Another problem is another run.
    run("a");
    const std::string message =
        testing::message_of<InputError>([&] { run("a", {"problem.noise=2"}, {.resume = true}); });
    EXPECT_NE(message.find("/problem/noise"), std::string::npos) << message;
}

// STORM's correction of a problem with additive noise has none: G - H is the difference of the true gradients.
TEST_F(SyntheticRunTest, AdditiveNoiseIsTheSameAtPreviousWeights) {
    Cpu cpu{1};
    const auto comm = make_single();
    Stepper stepper(synthetic({"problem.curvature_noise=0", "problem.noise=5"}), *comm);
    stepper.allocate(&cpu);
    ParameterStore& parameters = stepper.runner().parameters();
    parameters.initialize(1);
    TokenStreamHash hash;
    const auto weights = [&] {
        const float* w = parameters.masters()[0].as<float>();
        return std::vector<float>(w, w + 12);
    };
    for (std::int64_t step = 1; step <= 3; ++step) {
        const std::vector<float> before = weights();
        ASSERT_TRUE(stepper.step(step, hash).ok());
        const std::vector<float> now = weights();
        stepper.oracle().load(step + 1, hash);
        stepper.oracle().compute(step + 1);
        const float *g = parameters.gradients()[0].as<float>(),
                    *h = stepper.oracle().gradients().previous[0].as<float>();
        double moved = 0;
        for (int i = 0; i < 12; ++i) {
            const double expected = std::pow(4, -(i / 3) / 3.0) * (double(now[i]) - before[i]);
            // Two micro-batches of gradients of size 20 are added up, at either weights.
            EXPECT_NEAR(double(g[i]) - h[i], expected, 6 * 20 * kF32) << i;
            moved += std::abs(expected);
        }
        EXPECT_GT(moved, 0.1) << "the weights moved, and the noise is larger still";
    }
}

}  // namespace
}  // namespace steepest
