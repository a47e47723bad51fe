// `steepest watch` beside a run that another process writes.
#include "tests/cli/process.h"
#include "tests/train/run_fixture.h"

namespace steepest {
namespace {

using testing::expect_has;
using testing::Outcome;
using testing::Process;
namespace fs = std::filesystem;

class Watch : public testing::RunTest {
protected:
    std::vector<std::string> train(const std::string& steps) const {
        return {"train", "tiny.json", "--quiet", "--set", "name=a", "--set", "steps=" + steps};
    }
    std::string log() const { return run_path("a") + "/log.jsonl"; }
};

TEST_F(Watch, InAPipePrintsTheLinesToTheEnd) {
    ASSERT_EQ(testing::steepest(train("8"), folder()).code, 0);
    const Outcome outcome = testing::steepest({"watch", run_path("a")}, folder());
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    expect_has(outcome.out, {"step 1/8  loss ", "step 8/8  validation loss ", "step 8/8  done\n"});
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1 + 8 + 3 + 1);
}

TEST_F(Watch, FollowsAndNeverDisturbs) {
    Process run(train("100000"), folder());
    ASSERT_TRUE(run.running_when([&] { return fs::exists(log()) && fs::file_size(log()) > 5000; }));
    Process watch({"watch", run_path("a")}, folder());
    const auto size = fs::file_size(log());
    ASSERT_TRUE(run.running_when([&] { return fs::file_size(log()) > 3 * size; }));
    run.signal(SIGTERM);
    const Outcome ended = run.wait();
    EXPECT_EQ(ended.code, 4) << ended.err;
    const Outcome outcome = watch.wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    expect_has(outcome.out, {"  interrupted\n"});
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'),
              static_cast<std::ptrdiff_t>(testing::log_lines(log(), {"checkpoint"}).size()));
}

TEST_F(Watch, EndsWhereTheProcessWasKilledAndOnCtrlC) {
    Process run(train("100000"), folder());
    ASSERT_TRUE(run.running_when([&] { return fs::exists(log()) && fs::file_size(log()) > 5000; }));
    Process interrupted({"watch", run_path("a")}, folder());
    const auto size = fs::file_size(log());
    // By then the other process has come far enough to hear the signal.
    ASSERT_TRUE(run.running_when([&] { return fs::file_size(log()) > 4 * size; }));
    interrupted.signal(SIGINT);
    EXPECT_EQ(interrupted.wait().code, 0);

    Process watch({"watch", run_path("a")}, folder());
    run.signal(SIGKILL);
    run.wait();
    const Outcome outcome = watch.wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    expect_has(outcome.out, {"stopped without an end at step ", "its process has gone", "--resume goes on"});
}

TEST_F(Watch, ASweepInAPipe) {
    write_file(path("sweep.json"), R"({"config": "tiny.json", "seeds": [3, 4], "runs": "sweeps"})");
    Process sweep({"sweep", "sweep.json"}, folder());
    ASSERT_TRUE(sweep.running_when([&] { return fs::exists(path("sweeps/sweep/.sweep/plan.json")); }));
    const Outcome outcome = testing::steepest({"watch", "sweeps/sweep"}, folder());
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(sweep.wait().code, 0);
    const std::string done = "  done  step 8/8\n";
    const std::size_t first = outcome.out.find(done);
    ASSERT_NE(first, std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find(done, first + 1), std::string::npos) << outcome.out;
    expect_has(outcome.out, {"2 done"});
}

TEST_F(Watch, WhatIsNoRun) {
    const Outcome outcome = testing::steepest({"watch", path("none")}, folder());
    EXPECT_EQ(outcome.code, 2);
    expect_has(outcome.err, {path("none") + ": no such run directory or log file"});
    const Outcome folder_alone = testing::steepest({"watch", folder()}, folder());
    EXPECT_EQ(folder_alone.code, 2);
    expect_has(folder_alone.err, {folder() + ": neither a run nor a sweep is there"});
}

}  // namespace
}  // namespace steepest
