// Whole runs: what the log says, that the same config is the same run, how runs end badly, and that they do not grow.
#include "data/token_shard.h"
#include "tests/train/run_fixture.h"

#include <malloc.h>
#include <unistd.h>

namespace steepest {
namespace {

using testing::checkpoint_file;
using testing::expect_same_run;
using testing::tensor_bytes;
namespace fs = std::filesystem;

class TrainerTest : public testing::RunTest {
protected:
    static std::vector<Json> lines(const std::string& run, const std::string& kind) {
        std::vector<Json> all;
        std::istringstream text(read_file(run + "/log.jsonl"));
        for (std::string line; std::getline(text, line);)
            if (Json json = Json::parse(line); json.at("kind") == kind) all.push_back(std::move(json));
        return all;
    }
    static std::vector<std::int64_t> steps(const std::vector<Json>& all) {
        std::vector<std::int64_t> result;
        for (const Json& line : all) result.push_back(line.at("step").get<std::int64_t>());
        return result;
    }
};
using Steps = std::vector<std::int64_t>;

TEST_F(TrainerTest, TheLogTellsTheRun) {
    const std::string run = train("a", {"optimizer=muon-mvr2", "steps=10", "sampling.every=5", "sampling.tokens=9"});
    EXPECT_EQ(steps(lines(run, "start")), Steps{0});
    EXPECT_EQ(steps(lines(run, "train")), (Steps{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    EXPECT_EQ(steps(lines(run, "eval")), (Steps{0, 4, 8, 10})) << "before the first step and after the last";
    EXPECT_EQ(steps(lines(run, "sample")), (Steps{5, 10}));
    EXPECT_EQ(steps(lines(run, "checkpoint")), (Steps{4, 8, 10})) << "and at the end";
    EXPECT_EQ(steps(lines(run, "end")), Steps{10});
    EXPECT_EQ(lines(run, "end")[0].at("reason"), "done");

    const Json start = lines(run, "start")[0];
    EXPECT_EQ(start.at("tokens_per_step"), 4 * 8);
    EXPECT_EQ(start.at("optimizer"), "muon-mvr2");
    EXPECT_EQ(start.at("steps"), 10);
    double loss = 1e9;
    for (const Json& line : lines(run, "train")) {
        const auto k = line.at("step").get<std::int64_t>();
        EXPECT_EQ(line.at("tokens"), 32 * k);
        EXPECT_EQ(line.at("gradients"), 2 * k) << "MVR2 takes two a step";
        EXPECT_GT(line.at("model_flops").get<double>(), 0);
        for (const char* key : {"grad_norm", "clip", "data_hash"}) EXPECT_TRUE(line.contains(key)) << key;
        EXPECT_EQ(line.at("lr").size(), 2u);
        EXPECT_EQ(std::prev(line.end()).key(), "time");
        loss = line.at("loss").get<double>();
    }
    EXPECT_LT(loss, lines(run, "train")[0].at("loss").get<double>() - 0.1) << "it learns";
    EXPECT_EQ(lines(run, "eval")[3].at("eval_tokens"), 96);
    EXPECT_EQ(lines(run, "sample")[0].at("tokens").size(), 9u);
    for (const char* file : {"config.json", "manifest.json", "train.log"}) EXPECT_TRUE(fs::exists(run + "/" + file));
}

TEST_F(TrainerTest, AMeasuredPeakIsInManifestAndLog) {
    const std::string plain = train("plain", {"steps=2"});
    EXPECT_TRUE(Json::parse(read_file(plain + "/manifest.json")).at("peak_flops").at("measured").is_null());
    for (const char* compute : {"fp32", "bf16"}) {
        const std::string run =
            train(compute, {"steps=2", "measure_peak=96", std::string("precision.compute=") + compute});
        const double peak =
            Json::parse(read_file(run + "/manifest.json")).at("peak_flops").at("measured").get<double>();
        EXPECT_GT(peak, 1e3);
        EXPECT_LT(peak, 1e15);
        double before = 0;
        for (const Json& line : lines(run, "train")) {
            const Json& time = line.at("time");
            const double flops = line.at("model_flops").get<double>() - before;
            before += flops;
            EXPECT_NEAR(time.at("measured_peak_utilization").get<double>() * peak * time.at("step_ms").get<double>(),
                        1e3 * flops, 1e-9 * 1e3 * flops);
        }
    }
    // What it computes is no part of the run.
    EXPECT_EQ(testing::log_lines(plain + "/log.jsonl", {"start"}),
              testing::log_lines(run_path("fp32") + "/log.jsonl", {"start"}));
}

// One line a measured step with an object a group; the run is otherwise what it is without.
TEST_F(TrainerTest, DiagnosticsAreLinesOfTheLog) {
    const std::string run = train("a", {"optimizer=muon", "diagnostics.every=3", "steps=8"});
    EXPECT_EQ(steps(lines(run, "diagnostics")), (Steps{3, 6}));
    for (const Json& line : lines(run, "diagnostics")) {
        EXPECT_EQ(line.at("groups").size(), 2u);
        const Json& muon = line.at("groups").at("matrices");
        EXPECT_LT(muon.at("singular_max"), 1.3);
        for (const auto& [name, value] : muon.items()) EXPECT_TRUE(value.is_number()) << name;
        EXPECT_GT(muon.at("noise_density"), 0.05);
        EXPECT_LT(muon.at("noise_density"), 0.9);
    }
    const std::string plain = train("b", {"optimizer=muon", "steps=8"});
    EXPECT_EQ(testing::log_lines(run + "/log.jsonl", {"diagnostics", "start"}),
              testing::log_lines(plain + "/log.jsonl", {"start"}));
    // Noise is seen between micro-batches alone.
    const std::string whole = train("c", {"diagnostics.every=8", "micro_batch=4", "steps=8"});
    const Json groups = lines(whole, "diagnostics").at(0).at("groups");
    for (const auto& [name, group] : groups.items()) EXPECT_FALSE(group.contains("noise_density")) << name;
}

TEST_F(TrainerTest, TokensGiveTheSteps) {
    const std::string run = train("a", {"steps=0", "tokens=97"});
    EXPECT_EQ(lines(run, "train").size(), 4u) << "97 tokens, 32 a step, rounded up";
}

TEST_F(TrainerTest, TheSameConfigIsTheSameRunWhateverTheThreads) {
    for (const std::string compute : {"fp32", "bf16"})
        for (const std::string optimizer : {"adamw", "muon-mvr2"}) {
            const std::string name = optimizer + compute;
            SCOPED_TRACE(name);
            const Sets sets = {"optimizer=" + optimizer, "precision.compute=" + compute, "model.width=32",
                               "sampling.every=8", "sampling.tokens=12"};
            const std::string first = train(name, sets, {.threads = 1});
            expect_same_run(first, train(name + "-again", sets, {.threads = 1}), 8);
            expect_same_run(first, train(name + "-2", sets, {.threads = 2}), 8);
            expect_same_run(first, train(name + "-3", sets, {.threads = 3}), 8);
        }
    // And the test can tell runs apart.
    EXPECT_NE(read_file(checkpoint_file(train("x", {"seed=1"}), 8, "weights")),
              read_file(checkpoint_file(train("y", {"seed=2"}), 8, "weights")));
}

TEST_F(TrainerTest, ARunsOwnConfigReplaysItBesideIt) {
    const std::string run = train("a", {"optimizer=muon-mvr2"}), before = read_file(run + "/log.jsonl");
    for (const char* replay : {"a-replay-1", "a-replay-2"}) {
        const RunConfig again = load_config<RunConfig>(run + "/config.json");
        EXPECT_EQ(train(again, {.threads = 2, .config_path = run + "/config.json"}), run_path(replay));
        expect_same_run(run, run_path(replay), 8);
    }
    EXPECT_EQ(read_file(run + "/log.jsonl"), before);
}

// A learning rate that no weight survives: the bad steps are skipped and named, the run ends, the checkpoint of the
// last good step is there with its bytes.
TEST_F(TrainerTest, DivergenceEndsTheRunAndKeepsTheLastGoodCheckpoint) {
    for (const std::string second : {"previous_weights", "prefetch"}) {
        SCOPED_TRACE(second);
        const Sets sets = {"optimizer=muon-mvr2", "second_gradient=" + second, "optimizer.lr_scale=1e30",
                           "max_bad_steps=3", "checkpoint.every=1"};
        const std::string run = run_path(second);
        const std::string message = testing::message_of<DivergedError>([&] { train(second, sets, {.threads = 2}); });
        EXPECT_NE(message.find("3 consecutive steps"), std::string::npos) << message;
        const auto all = lines(run, "train");
        ASSERT_GE(all.size(), 4u);
        EXPECT_FALSE(all[0].contains("skipped"));
        const std::size_t first_bad = all.size() - 3;
        for (std::size_t i = first_bad; i < all.size(); ++i) {
            EXPECT_EQ(all[i].at("skipped"), true);
            EXPECT_NE(all[i].at("culprit").get<std::string>().find("is not finite"), std::string::npos) << all[i];
            EXPECT_EQ(all[i].at("loss").is_null() || all[i].at("grad_norm").is_null(), all[i].contains("nonfinite"));
        }
        EXPECT_EQ(lines(run, "end")[0].at("reason"), "diverged");
        const auto good = static_cast<std::int64_t>(first_bad), last = good + 2;
        EXPECT_TRUE(fs::exists(checkpoint_file(run, last, "weights")));
        EXPECT_FALSE(fs::exists(checkpoint_file(run, last + 1, "weights")));
        for (const char* file : {"weights", "optimizer"})
            // The next batch's gradient is the oracle's, not the optimizer's: it is taken in a bad step too.
            EXPECT_TRUE((second == "prefetch" && file == std::string("optimizer")) ||
                        tensor_bytes(checkpoint_file(run, good, file)) ==
                            tensor_bytes(checkpoint_file(run, last, file)))
                << file;

        // Resumed, it counts on from where it stood.
        EXPECT_NE(
            testing::message_of<DivergedError>([&] { train(second, sets, {.resume = true}); }).find("3 consecutive"),
            std::string::npos);
        EXPECT_EQ(steps(lines(run, "train")), steps(all));
    }
}

TEST_F(TrainerTest, AFiniteLossCanBeLostToo) {
    const auto reason = [&](const std::string& name, const Sets& sets, bool resume) {
        return testing::message_of<DivergedError>([&] { train(name, sets, {.resume = resume}); });
    };
    // Above a bound from the beginning on: counted after step 3, and over the checkpoint at step 4.
    const Sets bound = {"divergence.loss=1", "divergence.after=3", "divergence.steps=3"};
    const std::string first = reason("bound", bound, false);
    EXPECT_NE(first.find("3 consecutive steps with a loss above"), std::string::npos) << first;
    const auto all = lines(run_path("bound"), "train");
    EXPECT_EQ(all.size(), 6u);
    EXPECT_EQ(lines(run_path("bound"), "end")[0].at("reason"), "diverged");
    EXPECT_EQ(reason("bound", bound, true), first) << "resumed after step 4 it counts on";
    EXPECT_EQ(lines(run_path("bound"), "train").size(), 6u);

    // Worse than at the start, by a learning rate far too high; a run that learns does not care.
    const Sets above = {"optimizer=signsgd", "divergence.above_first=0.5", "divergence.steps=2"};
    EXPECT_EQ(lines(train("learns", above), "end")[0].at("reason"), "done");
    Sets high = above;
    high.insert(high.begin() + 1, "optimizer.lr_scale=1e5");
    EXPECT_NE(reason("above", high, false).find("2 consecutive"), std::string::npos);
    const auto lost = lines(run_path("above"), "train");
    ASSERT_GE(lost.size(), 3u);
    for (std::size_t i = lost.size() - 2; i < lost.size(); ++i)
        EXPECT_GT(lost[i].at("loss").get<double>(), lost[0].at("loss").get<double>() + 0.5);
}

TEST_F(TrainerTest, StoppedAtAStepItGoesOnAsTheWholeRun) {
    const Sets sets = {"optimizer=muon-mvr2", R"(optimizer.schedule={"type": "cosine", "final_fraction": 0.1})"};
    const std::string whole = train("whole", sets);
    for (const std::int64_t step : {3, 3, 4, 6}) {
        const std::string message =
            testing::message_of<InterruptedError>([&] { train("parts", sets, {.resume = true, .stop_at = step}); });
        EXPECT_NE(message.find("stopped at step " + std::to_string(step)), std::string::npos) << message;
        EXPECT_TRUE(fs::exists(checkpoint_file(run_path("parts"), step, "weights")));
        EXPECT_EQ(lines(run_path("parts"), "end").back().at("reason"), "interrupted");
    }
    expect_same_run(whole, train("parts", sets, {.resume = true, .stop_at = 8}), 8);
}

// Tokens are checked as they are gathered: the run ends there, as an input error with file and place, log intact.
TEST_F(TrainerTest, ATokenOutsideTheVocabularyNamesItsPlace) {
    std::vector<std::int32_t> tokens(4000, 7);
    tokens[2001] = 300;
    write_token_shard(path("bad.bin"), tokens, 65536);
    const Sets sets = {"data.train=[\"" + path("bad.bin") + "\"]", "steps=1000", "checkpoint.every=1"};
    const std::string message = testing::message_of<InputError>([&] { train("a", sets); });
    for (const std::string& part : {path("bad.bin"), std::string("300"), std::to_string(1024 + 2 * 2001)})
        EXPECT_NE(message.find(part), std::string::npos) << message;
    const auto all = lines(run_path("a"), "train");
    EXPECT_LT(all.size(), 1000u);
    EXPECT_EQ(lines(run_path("a"), "checkpoint").size(), all.size()) << "those before stand";
}

TEST_F(TrainerTest, NothingIsWrittenByPlanning) {
    const auto comm = make_single();
    { const Trainer planned(config({"name=a"}), *comm); }
    EXPECT_THROW(Trainer(config({"data.train=[\"" + path("none") + "\"]"}), *comm), InputError);
    EXPECT_THROW(Trainer(config({"evaluation.tokens=1000000"}), *comm), InputError);
    EXPECT_EQ(names(), (std::vector<std::string>{"text.txt", "tiny.json"}));
}

#ifndef __SANITIZE_ADDRESS__
// Resident memory and the heap, looked at from within the run: the console asks for the time once a printed line.
TEST_F(TrainerTest, MemoryIsFlatInSteps) {
    for (const char* second : {"previous_weights", "prefetch"}) {
        std::vector<std::int64_t> resident, heap;
        const auto look = [&] {
            long total = 0, pages = 0;
            std::FILE* file = std::fopen("/proc/self/statm", "r");
            EXPECT_EQ(std::fscanf(file, "%ld %ld", &total, &pages), 2);
            std::fclose(file);
            resident.push_back(pages * ::sysconf(_SC_PAGESIZE));
            heap.push_back(static_cast<std::int64_t>(mallinfo2().uordblks));
            return 0.0;
        };
        train(std::string("a-") + second,
              {"optimizer=muon-mvr2", std::string("second_gradient=") + second, "steps=60", "evaluation.every=3",
               "checkpoint.every=6", "checkpoint.keep=2", "sampling.every=3", "sampling.tokens=5"},
              // One thread: of several, one may come late to its first piece of some kernel, and to its scratch for it.
              {.threads = 1, .clock = look});
        ASSERT_GE(resident.size(), 20u) << "about one line every third step";
        const std::size_t at = resident.size() / 6, end = resident.size() - 1;
        EXPECT_LT(resident[end] - resident[at], 1 << 20) << "between step 10 and the last";
        // Strings of the lines being written differ in length by their digits.
        EXPECT_LT(heap[end] - heap[at], 4096);
    }
}
#endif

}  // namespace
}  // namespace steepest
