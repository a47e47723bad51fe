// Runs that are ended from outside, as processes: kill -9 at a moment they cannot know, Ctrl-C, SIGTERM. What is
// resumed comes to the same bytes as what was never disturbed.
#include "tests/cli/process.h"
#include "tests/train/run_fixture.h"

namespace steepest {
namespace {

using testing::expect_has;
using testing::expect_same_run;
using testing::Outcome;
using testing::Process;
namespace fs = std::filesystem;

class Killed : public testing::RunTest {
protected:
    static std::vector<std::string> arguments(const std::string& name, const Sets& sets) {
        std::vector<std::string> all = {"train", "tiny.json", "--quiet", "--set", "name=" + name};
        for (const std::string& set : sets) all.push_back("--set"), all.push_back(set);
        return all;
    }
    Outcome resume(const std::string& name, const Sets& sets) const {
        auto all = arguments(name, sets);
        all.push_back("--resume");
        return testing::steepest(all, folder());
    }
};

constexpr std::int64_t kSteps = 60;

TEST_F(Killed, AtAnyMomentAfterACheckpointWithEveryOptimizer) {
    const Random random(1, "killed");
    std::uint64_t draw = 0;
    int cut_short = 0, runs = 0;
    std::vector<std::pair<std::string, std::string>> all;
    for (const std::string& optimizer : testing::preset_names("optimizers")) all.emplace_back(optimizer, "");
    all.emplace_back("muon-mvr2", "prefetch");
    for (const auto& [optimizer, second] : all) {
        const std::string name = optimizer + second;
        SCOPED_TRACE(name);
        Sets sets = {"optimizer=" + optimizer, "steps=60", "checkpoint.every=10", "evaluation.every=20", "threads=1"};
        if (!second.empty()) sets.push_back("second_gradient=" + second);
        const auto begin = std::chrono::steady_clock::now();
        ASSERT_EQ(testing::steepest(arguments(name, sets), folder()).code, 0);
        const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;

        const std::string killed = name + "-killed";
        Process process(arguments(killed, sets), folder());
        const std::string first = run_path(killed) + "/checkpoints/step_000010";
        EXPECT_TRUE(process.running_when([&] { return fs::exists(first); }));
        // Anywhere in what is left, which is less than the whole.
        ::usleep(static_cast<useconds_t>(0.6e6 * whole.count() * random.uniform(draw++)));
        process.signal(SIGKILL);
        const Outcome end = process.wait();
        cut_short += end.code == -SIGKILL, ++runs;

        sets[4] = "threads=2";
        const Outcome resumed = resume(killed, sets);
        EXPECT_EQ(resumed.code, 0) << resumed.err;
        EXPECT_EQ(resumed.err, "") << "nothing was damaged";
        expect_same_run(run_path(name), run_path(killed), kSteps);
    }
    EXPECT_GT(cut_short, 2) << "of " << runs << ", most were to be killed before they had finished";
}

TEST_F(Killed, AgainAndAgain) {
    const Sets sets = {"optimizer=muon-mvr2", "steps=60", "checkpoint.every=10", "threads=1"};
    ASSERT_EQ(testing::steepest(arguments("a", sets), folder()).code, 0);
    auto again = arguments("b", sets);
    again.push_back("--resume");
    // Each time after one more checkpoint, so that it comes to its end.
    for (int step = 10; step <= 50; step += 10) {
        Process process(again, folder());
        const std::string next = run_path("b") + "/checkpoints/" + checkpoint_name(step);
        process.running_when([&] { return fs::exists(next); });
        process.signal(SIGKILL);
        process.wait();
    }
    ASSERT_EQ(resume("b", sets).code, 0);
    expect_same_run(run_path("a"), run_path("b"), kSteps);
}

// A run far too long to finish is stopped, and resumed to end a little later; its twin goes there in one go.
TEST_F(Killed, CtrlCAndTermWriteACheckpointAndExitWithFour) {
    for (const int signal : {SIGINT, SIGTERM}) {
        const std::string name = signal == SIGINT ? "int" : "term", run = run_path(name);
        SCOPED_TRACE(name);
        Sets sets = {"optimizer=muon-mvr2", "optimizer.schedule.type=constant",
                     "checkpoint.every=0",  "evaluation.every=1000",
                     "threads=1",           "steps=1000000"};
        Process process(arguments(name, sets), folder());
        ASSERT_TRUE(process.running_when(
            [&] { return fs::exists(run + "/log.jsonl") && fs::file_size(run + "/log.jsonl") > 20000; }));
        process.signal(signal);
        const Outcome outcome = process.wait();
        EXPECT_EQ(outcome.code, 4) << outcome.err;
        expect_has(outcome.err, {"interrupted at step", "--resume"});
        const Json end = Json::parse(testing::log_lines(run + "/log.jsonl").back());
        EXPECT_EQ(end.at("kind"), "end");
        EXPECT_EQ(end.at("reason"), "interrupted");

        const std::int64_t steps = end.at("step").get<std::int64_t>() + 20;
        sets.back() = "steps=" + std::to_string(steps);
        const Outcome resumed = resume(name, sets);
        EXPECT_EQ(resumed.code, 0) << resumed.err;
        ASSERT_EQ(testing::steepest(arguments(name + "-twin", sets), folder()).code, 0);
        expect_same_run(run_path(name + "-twin"), run, steps);
    }
}

// Two at once must not write one run; the second says who is writing it.
TEST_F(Killed, TheOneThatWritesKeepsOthersOut) {
    const Sets sets = {"steps=100000", "evaluation.every=0"};
    Process process(arguments("a", sets), folder());
    ASSERT_TRUE(process.running_when([&] { return fs::exists(run_path("a") + "/log.jsonl"); }));
    const Outcome second = resume("a", sets);
    EXPECT_EQ(second.code, 2);
    expect_has(second.err, {run_path("a"), "another process is writing this run", "process "});
    process.signal(SIGTERM);
    EXPECT_EQ(process.wait().code, 4);
}

}  // namespace
}  // namespace steepest
