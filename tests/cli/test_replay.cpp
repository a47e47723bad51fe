// `steepest replay`: a run is found equal to its replay, and whatever was changed in its log is found.
#include "tests/cli/process.h"
#include "tests/train/run_fixture.h"

#include <algorithm>

namespace steepest {
namespace {

using testing::expect_has;
using testing::Outcome;
using testing::Process;
namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line + "\n");
    return lines;
}
std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line;
    return text;
}

class Replay : public testing::RunTest {
protected:
    Outcome run(const std::vector<std::string>& arguments) const { return testing::steepest(arguments, folder()); }
    void train_it(const std::string& name, const Sets& sets = {}, bool resume = false) const {
        std::vector<std::string> arguments = {"train", "tiny.json", "--quiet", "--set", "name=" + name};
        for (const std::string& set : sets) arguments.push_back("--set"), arguments.push_back(set);
        if (resume) arguments.push_back("--resume");
        const Outcome outcome = run(arguments);
        ASSERT_EQ(outcome.code, 0) << outcome.err;
    }
    Outcome replay(const std::string& name) const { return run({"replay", run_path(name), "--quiet"}); }
    std::string log(const std::string& name) const { return run_path(name) + "/log.jsonl"; }
    // The first line of this kind and step, changed.
    void tamper(const std::string& name, const std::string& kind, int step, const std::function<void(Json&)>& change) {
        std::vector<std::string> lines = lines_of(read_file(log(name)));
        for (std::string& line : lines) {
            Json json = Json::parse(line);
            if (json.at("kind") != kind || json.at("step") != step) continue;
            change(json);
            line = json.dump() + "\n";
            break;
        }
        write_file(log(name), joined(lines));
    }
    // The last line of a log, as JSON.
    Json last_line(const std::string& name) const { return Json::parse(lines_of(read_file(log(name))).back()); }
};

TEST_F(Replay, OnOneBuildEveryLineIsEqualWhateverTheThreads) {
    train_it("a", {"optimizer=muon-mvr2", "sampling.every=4"});
    const std::string lines = std::to_string(lines_of(read_file(log("a"))).size());
    const Outcome outcome = run({"replay", run_path("a") + "/", "--quiet", "--set", "threads=2"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, run_path("a") + "-replay-1 is " + run_path("a") + ": " + lines +
                               " lines compared up to step 8, none differ\n");
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(last_line("a-replay-1").at("reason"), "done");
}

TEST_F(Replay, AChangedLineIsFoundAndTheReplayStopsThere) {
    train_it("a");
    tamper("a", "train", 5,
           [](Json& line) { line["lr"]["matrices"] = 7, line["grad_norm"] = nullptr, line["time"] = Json::object(); });
    const Outcome outcome = replay("a");
    EXPECT_EQ(outcome.code, 7);
    EXPECT_EQ(outcome.out, "");
    // Start, evaluation, four steps, evaluation and checkpoint after the fourth.
    expect_has(outcome.err, {"a-replay-1 differs from ", " at step 5 (", "/log.jsonl:9, train), after 8 equal lines:",
                             "\n  /grad_norm: null, now ", "\n  /lr/matrices: 7, now nothing"});
    EXPECT_EQ(outcome.err.find("/time"), std::string::npos);
    EXPECT_EQ(outcome.err.find("/loss"), std::string::npos);
    EXPECT_EQ(last_line("a-replay-1").at("step"), 5) << "hours of training may lie behind the first difference";
}

TEST_F(Replay, AMissingLineAndOneTooMany) {
    train_it("a");
    train_it("b");
    std::vector<std::string> lines = lines_of(read_file(log("a")));
    lines.erase(lines.begin() + 3);  // the training line of step 2
    write_file(log("a"), joined(lines));
    const Outcome missing = replay("a");
    EXPECT_EQ(missing.code, 7);
    expect_has(missing.err, {" at step 3 (", "\n  /step: 3, now 2"});
    EXPECT_EQ(missing.err.find("/loss"), std::string::npos) << "of another step";

    lines = lines_of(read_file(log("b")));
    lines.push_back(lines.back());
    write_file(log("b"), joined(lines));
    const Outcome more = replay("b");
    EXPECT_EQ(more.code, 7);
    expect_has(more.err, {"b-replay-1 ends after step 8; ", " goes on with step 8 (end)"});
}

TEST_F(Replay, ATruncatedLogIsComparedAsFarAsItGoes) {
    train_it("a");
    const std::vector<std::string> lines = lines_of(read_file(log("a")));
    write_file(log("a"), joined({lines.begin(), lines.begin() + 5}) + lines[5].substr(0, 20));
    const Outcome outcome = replay("a");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    expect_has(outcome.out, {"5 lines compared up to step 3, none differ (the log of ", " ends there, unfinished)"});
    EXPECT_EQ(last_line("a-replay-1").at("step"), 4) << "it stops after the first line that has no counterpart";
}

TEST_F(Replay, ADamagedLogIsBadInputBeforeAnythingIsTrained) {
    train_it("a");
    write_file(log("a"), "no log\n");
    EXPECT_EQ(replay("a").code, 2);
    expect_has(replay("a").err, {log("a") + ":1"});
    fs::remove(log("a"));
    expect_has(replay("a").err, {"no run is there: it has no log.jsonl"});
    EXPECT_EQ(run({"replay", path("none")}).code, 2);
    EXPECT_FALSE(fs::exists(run_path("a-replay-1")));
}

TEST_F(Replay, AMissingDataFileIsNamedAndNothingIsWritten) {
    train_it("a");
    fs::rename(path("text.txt"), path("moved.txt"));
    const Outcome outcome = replay("a");
    EXPECT_EQ(outcome.code, 2);
    expect_has(outcome.err, {path("text.txt")});
    EXPECT_FALSE(fs::exists(run_path("a-replay-1")));
    const Outcome moved = run({"replay", run_path("a"), "--set", "data.train=[\"" + path("moved.txt") + "\"]"});
    EXPECT_EQ(moved.code, 0) << moved.err;
}

TEST_F(Replay, AnotherTextIsSeenInTheFirstLine) {
    train_it("a");
    write_file(path("text.txt"), testing::words(5900));
    const Outcome outcome = replay("a");
    EXPECT_EQ(outcome.code, 7);
    expect_has(outcome.err, {" at step 0 (", "start), after 0 equal lines:\n  /data: "});
}

TEST_F(Replay, AnotherBuildIsAWarning) {
    train_it("a");
    const std::string manifest = run_path("a") + "/manifest.json";
    Json json = parse_json(read_file(manifest), manifest);
    json["commit"] = "0123456789ab";
    write_file(manifest, json.dump());
    const Outcome outcome = replay("a");
    EXPECT_EQ(outcome.code, 0);
    expect_has(outcome.err, {"warning: another build made " + run_path("a"), "\n  commit: 0123456789ab, now "});
    EXPECT_EQ(outcome.err.find("compiler"), std::string::npos);
}

TEST_F(Replay, AResumedRunIsReplayedWithoutItsResumes) {
    const Sets base = {"optimizer.schedule.type=constant", "checkpoint.every=0", "evaluation.every=1000000"};
    Sets sets = base;
    sets.push_back("steps=1000000");
    std::vector<std::string> arguments = {"train", "tiny.json", "--quiet", "--set", "name=a"};
    for (const std::string& set : sets) arguments.push_back("--set"), arguments.push_back(set);
    Process process(arguments, folder());
    ASSERT_TRUE(process.running_when([&] { return fs::exists(log("a")) && fs::file_size(log("a")) > 5000; }));
    process.signal(SIGTERM);
    ASSERT_EQ(process.wait().code, 4);
    const Json end = last_line("a");
    ASSERT_EQ(end.at("reason"), "interrupted");
    // As it stands, interrupted, it is compared up to there.
    const Outcome half = replay("a");
    EXPECT_EQ(half.code, 0) << half.err;
    expect_has(half.out, {"up to step " + end.at("step").dump() + ", none differ (the log of "});

    sets.back() = "steps=" + std::to_string(end.at("step").get<std::int64_t>() + 5);
    train_it("a", sets, /*resume=*/true);
    ASSERT_NE(read_file(log("a")).find(R"("kind":"resume")"), std::string::npos);
    const Outcome whole = replay("a");
    EXPECT_EQ(whole.code, 0) << whole.err;
    expect_has(whole.out, {"a-replay-2 is ", ", none differ\n"});
}

TEST_F(Replay, ADivergedRunDivergesAgain) {
    const Outcome trained = run({"train", "tiny.json", "--quiet", "--set", "name=a", "--set", "max_bad_steps=2",
                                 "--set", "optimizer.lr_scale=1e30", "--set", "steps=40"});
    ASSERT_EQ(trained.code, 3) << trained.err;
    const Outcome outcome = replay("a");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    expect_has(outcome.out, {", none differ\n"});
}

TEST_F(Replay, ARunOfASweep) {
    write_file(path("sweep.json"), R"({"config": "tiny.json", "seeds": [3], "runs": "sweeps",
        "axes": {"optimizer.lr_scale": [2]}})");
    const Outcome swept = run({"sweep", "sweep.json"});
    ASSERT_EQ(swept.code, 0) << swept.err;
    std::string member;
    for (const auto& entry : fs::recursive_directory_iterator(path("sweeps")))
        if (entry.path().filename() == "log.jsonl") member = entry.path().parent_path().string();
    ASSERT_FALSE(member.empty());
    const Outcome outcome = run({"replay", member, "--quiet"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    expect_has(outcome.out, {member + "-replay-1 is " + member, "none differ\n"});
}

TEST_F(Replay, AgainstALogThatIsThereNothingIsTrained) {
    train_it("a");
    train_it("b");
    train_it("c", {"seed=2"});
    const Outcome same = run({"replay", run_path("a"), "--against", run_path("b")});
    EXPECT_EQ(same.code, 0) << same.err;
    expect_has(same.out, {run_path("b") + " is " + run_path("a"), "none differ\n"});
    const Outcome other = run({"replay", run_path("a"), "--against", run_path("c")});
    EXPECT_EQ(other.code, 7);
    expect_has(other.err, {"\n  /init: ", "\n  /seed: 1, now 2"});
    EXPECT_FALSE(fs::exists(run_path("a-replay-1")));
}

}  // namespace
}  // namespace steepest
