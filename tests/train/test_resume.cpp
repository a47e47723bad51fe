// Training 2N steps equals N, a stop, a resume and N more: the same log lines but for times, the same bytes of weights
// and optimizer state. Processes that are really killed: tests/cli/test_killed.cpp.
#include "tests/train/run_fixture.h"

namespace steepest {
namespace {

using testing::checkpoint_file;
using testing::expect_same_run;
using testing::log_lines;
namespace fs = std::filesystem;

class ResumeTest : public testing::RunTest {
protected:
    // A run that was cut off after its checkpoint at step 4: what it wrote later is in the log, as after a kill.
    std::string cut_off(const std::string& run, const std::string& name) const {
        fs::copy(run, run_path(name), fs::copy_options::recursive);
        fs::remove_all(run_path(name) + "/checkpoints/step_000008");
        return run_path(name);
    }
    std::string refusal(const std::string& name, const Sets& sets) const {
        return testing::message_of<InputError>([&] { train(name, sets, {.resume = true}); });
    }
};

void expect_has(const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " is not in:\n" << text;
}

// Every preset, both precisions, another number of threads after the resume.
TEST_F(ResumeTest, EveryOptimizerGoesOnAsIfItHadNeverStopped) {
    for (const std::string& optimizer : testing::preset_names("optimizers"))
        for (const std::string compute : {"fp32", "bf16"}) {
            const std::string name = optimizer + "-" + compute;
            SCOPED_TRACE(name);
            const Sets sets = {"optimizer=" + optimizer, "precision.compute=" + compute, "sampling.every=3",
                               "sampling.tokens=6"};
            const std::string straight = train(name, sets, {.threads = 2});
            const std::string resumed = cut_off(straight, name + "-resumed");
            train(name + "-resumed", sets, {.threads = compute == "fp32" ? 1 : 3, .resume = true});
            expect_same_run(straight, resumed, 8);
            // What was computed again is what had been computed before.
            const auto lines = log_lines(resumed + "/log.jsonl", {"resume"});
            const auto replaced = log_lines(resumed + "/log.replaced-1.jsonl");
            ASSERT_LT(replaced.size(), lines.size());
            EXPECT_TRUE(std::equal(replaced.rbegin(), replaced.rend(), lines.rbegin()));
            EXPECT_EQ(log_lines(resumed + "/log.jsonl").size(), lines.size() + 1);
        }
}

// What diagnostics compare with is in the checkpoint: here the direction of step 4, which step 5 is compared with.
TEST_F(ResumeTest, DiagnosticsGoOnToo) {
    for (const std::string optimizer : {"muon", "adamw"}) {
        const Sets sets = {"optimizer=" + optimizer, "diagnostics.every=5", "micro_batch=2"};
        const std::string straight = train(optimizer, sets);
        const std::string resumed = cut_off(straight, optimizer + "-resumed");
        train(optimizer + "-resumed", sets, {.threads = 2, .resume = true});
        expect_same_run(straight, resumed, 8);
        EXPECT_NE(read_file(resumed + "/log.jsonl").find("\"cosine\":0."), std::string::npos);
        expect_has(refusal(optimizer, {"optimizer=" + optimizer, "steps=10"}),
                   {"/diagnostics", "5", "not there in the config"});
    }
}

// Schedule-free: what a checkpoint exports is the average, and its loss is the one in the log.
TEST_F(ResumeTest, AveragesAreEvaluatedAndExported) {
    for (const std::string compute : {"fp32", "bf16"}) {
        const std::string path = train("average-" + compute, {"optimizer=sf-adamw", "precision.compute=" + compute});
        const RunConfig run_config = config({"optimizer=sf-adamw", "precision.compute=" + compute});
        Cpu cpu(1);
        ModelRunner runner(run_config, Purpose::inference);
        runner.allocate(&cpu);
        spdlog::logger silent("silent");
        Checkpoints checkpoints(path + "/checkpoints", &cpu, 0, silent);
        const auto weights = runner.named_weights();
        ASSERT_TRUE(checkpoints.load_latest_weights(weights));
        runner.parameters().refresh_copies();
        const double loss = runner.task().evaluate(runner.parameters().copies()).loss;
        Json last;
        std::istringstream lines(read_file(path + "/log.jsonl"));
        for (std::string line; std::getline(lines, line);)
            if (const Json json = Json::parse(line); json["kind"] == "eval") last = json;
        EXPECT_EQ(last["loss"].get<double>(), loss) << compute;
        EXPECT_EQ(last["step"], 8);
    }
}

TEST_F(ResumeTest, BothSecondGradientsAndTheyAgree) {
    for (const std::string second : {"previous_weights", "prefetch"}) {
        const Sets sets = {"optimizer=muon-mvr2", "second_gradient=" + second, "micro_batch=1"};
        const std::string straight = train(second, sets);
        const std::string resumed = cut_off(straight, second + "-resumed");
        train(second + "-resumed", sets, {.threads = 2, .resume = true});
        expect_same_run(straight, resumed, 8);
    }
    const std::string a = run_path("previous_weights"), b = run_path("prefetch");
    EXPECT_EQ(read_file(checkpoint_file(a, 8, "weights")), read_file(checkpoint_file(b, 8, "weights")));
    EXPECT_EQ(log_lines(a + "/log.jsonl", {"start"}), log_lines(b + "/log.jsonl", {"start"}));
}

// With a schedule that does not look at the end, more steps are the same run, longer.
TEST_F(ResumeTest, AFinishedRunIsExtended) {
    for (const std::string optimizer : {"adamw", "muon-mvr1", "muon-mvr2"})
        for (const std::string second : {"previous_weights", "prefetch"}) {
            const std::string name = optimizer + "-" + second;
            SCOPED_TRACE(name);
            Sets sets = {"optimizer=" + optimizer, "optimizer.schedule.type=constant", "second_gradient=" + second};
            const std::string straight = train(name, sets);
            sets.push_back("steps=4");
            const std::string extended = train(name + "-extended", sets);
            sets.back() = "steps=8";
            train(name + "-extended", sets, {.threads = 2, .resume = true});
            expect_same_run(straight, extended, 8);
        }
}

TEST_F(ResumeTest, AFinishedRunStaysAsItIs) {
    const std::string run = train("a");
    const auto lines = log_lines(run + "/log.jsonl");
    const std::string weights = read_file(checkpoint_file(run, 8, "weights"));
    train("a", Sets{}, {.resume = true});
    EXPECT_EQ(log_lines(run + "/log.jsonl", {"resume"}), lines);
    EXPECT_EQ(read_file(checkpoint_file(run, 8, "weights")), weights);
}

TEST_F(ResumeTest, WithoutACheckpointItStartsFresh) {
    const std::string straight = train("a");
    // The folder a run leaves that was stopped before it wrote its config, and one without a checkpoint.
    fs::create_directories(run_path("b"));
    write_file(run_path("b") + "/train.log", "cpu: 2 threads\n");
    write_file(run_path("b") + "/.lock", "");
    fs::copy(straight, run_path("c"), fs::copy_options::recursive);
    fs::remove_all(run_path("c") + "/checkpoints");
    for (const char* name : {"new", "b", "c"}) {
        SCOPED_TRACE(name);
        expect_same_run(straight, train(name, Sets{}, {.resume = true}), 8);
    }
    EXPECT_EQ(log_lines(run_path("c") + "/log.replaced-1.jsonl"), log_lines(straight + "/log.jsonl"));
}

// The newest checkpoint is damaged: the one before it is used, and the run comes to the same end.
TEST_F(ResumeTest, ADamagedCheckpointIsPassedOver) {
    const std::string straight = train("a", {"checkpoint.every=2"}), resumed = cut_off(straight, "b");
    std::string bytes = read_file(checkpoint_file(resumed, 6, "optimizer"));
    bytes[bytes.size() / 2] ^= 1;
    write_file(checkpoint_file(resumed, 6, "optimizer"), bytes);
    train("b", Sets{"checkpoint.every=2"}, {.resume = true});
    expect_same_run(straight, resumed, 8);
    expect_has(read_file(resumed + "/train.log"), {"step_000006/optimizer.safetensors", "goes on after step 4"});
}

TEST_F(ResumeTest, AnotherRunIsRefusedByKeyAndValue) {
    const std::string run = train("a"), log = read_file(run + "/log.jsonl"), kept = read_file(run + "/config.json");
    expect_has(
        refusal("a", {"optimizer.groups.rest.learning_rate=0.5", "batch=8"}),
        {"cannot resume", run.c_str(), "/optimizer/groups/rest/learning_rate: 0.0006 in the run, 0.5 in the config",
         "/batch: 4 in the run, 8 in the config"});
    expect_has(refusal("a", {"optimizer=muon"}), {"/optimizer/groups/matrices: not there in the run"});
    expect_has(refusal("a", {"model.width=32"}), {"/model/width: 16 in the run, 32 in the config"});
    expect_has(refusal("a", {"seed=2"}), {"/seed"});
    expect_has(refusal("a", {"precision.compute=bf16"}), {"/precision/compute"});
    expect_has(refusal("a", {"steps=4"}), {"at step 8", "config's 4"});
    // The same path, but other bytes.
    write_file(path("text.txt"), "x" + testing::words(6000));
    expect_has(refusal("a", {}), {"cannot resume", "data", "text.txt"});
    EXPECT_EQ(read_file(run + "/log.jsonl"), log);
    EXPECT_EQ(read_file(run + "/config.json"), kept);
}

// What decides no number may change: words, threads, how often one looks.
TEST_F(ResumeTest, WhatDecidesNoNumberMayChange) {
    const std::string straight = train("a");
    cut_off(straight, "b");
    train("b",
          {"optimizer.description=other words", "model.description=too", "threads=2", "max_bad_steps=3",
           "checkpoint.keep=1", "description=here as well"},
          {.resume = true});
    expect_same_run(straight, run_path("b"), 8);
}

// A checkpoint whose config says the right thing but whose tensors are another model's.
TEST_F(ResumeTest, ACheckpointOfAnotherModelIsRefusedByTensor) {
    train("a");
    train("wide", {"model.width=32"});
    fs::remove_all(run_path("a") + "/checkpoints");
    fs::copy(run_path("wide") + "/checkpoints", run_path("a") + "/checkpoints", fs::copy_options::recursive);
    expect_has(refusal("a", {}), {"is of another model", "wte.weight", "(384, 32)", "(384, 16)"});
}

}  // namespace
}  // namespace steepest
