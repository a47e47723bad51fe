// `steepest sweep` as a process: what it leaves behind, disturbed and undisturbed.
#include "core/file.h"
#include "core/random.h"
#include "sweep/folder.h"
#include "tests/cli/process.h"
#include "tests/temporary_folder.h"

#include <dirent.h>

namespace steepest::sweep {
namespace {

using testing::expect_has;
using testing::Outcome;
using testing::Process;
namespace fs = std::filesystem;

class Sweep : public testing::TemporaryFolder {
protected:
    Sweep() {
        const Random random(1, "sweep text");
        std::string text;
        for (std::uint64_t i = 0; i < 6000; ++i) text += static_cast<char>('a' + random.below(6, i));
        write_file(path("text.txt"), text);
        write_file(path("tiny.json"), R"({
            "model": {"layers": 1, "heads": 2, "width": 16, "context": 8, "vocab": 257}, "optimizer": "adamw",
            "data": {"train": [")" + path("text.txt") +
                                          R"("], "validation_fraction": 0.1}, "threads": 1,
            "batch": 4, "steps": 60, "evaluation": {"every": 20, "tokens": 96}, "checkpoint": {"every": 10}})");
        write_file(path("s.json"), R"({"config": "tiny.json", "seeds": [1, 2], "arms": [
            {"name": "a", "axes": {"optimizer.lr_scale": [0.5, 1]}},
            {"name": "m", "set": {"optimizer": "muon"}}]})");
    }
    Outcome sweep(std::vector<std::string> more, const std::string& file = "s.json") const {
        more.insert(more.begin(), {"sweep", file});
        return testing::steepest(more, folder());
    }
    std::string results(const std::string& name = "s") const {
        return read_file(path("runs/" + name + "/results.csv"));
    }
    // How often each run was begun afresh: its log has one "start".
    void expect_nothing_ran_twice(const std::string& name) const {
        for (const auto& run : fs::directory_iterator(path("runs/" + name))) {
            if (!fs::exists(run.path() / "log.jsonl")) continue;
            const std::string log = read_file((run.path() / "log.jsonl").string());
            std::size_t starts = 0, ends = 0;
            for (std::size_t at = 0; (at = log.find("\"kind\":\"start\"", at)) != log.npos; ++at) ++starts;
            for (std::size_t at = 0; (at = log.find("\"kind\":\"end\"", at)) != log.npos; ++at) ++ends;
            EXPECT_EQ(starts, 1u) << run.path();
            EXPECT_EQ(ends, 1u) << run.path();
        }
    }
};

TEST_F(Sweep, RunsAllSkipsWhatIsFinishedAndDoesNotDependOnTheOrder) {
    const Outcome first = sweep({"--jobs", "2"});
    ASSERT_EQ(first.code, 0) << first.err;
    expect_has(first.out, {"6 done, 0 diverged, 0 failed"});
    const std::string all = results();
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 7);
    expect_has(all, {"run,arm,optimizer.lr_scale,seed,status,steps", "\nm-s2,m,,2,done,60,1920,60,"});
    const auto written = fs::last_write_time(path("runs/s/a-lr_scale1-s1/log.jsonl"));
    const Outcome again = sweep({});
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(results(), all);
    EXPECT_EQ(fs::last_write_time(path("runs/s/a-lr_scale1-s1/log.jsonl")), written) << "it ran again";
    expect_has(sweep({"--dry-run"}).out, {"the time rests on: 6 finished runs of this sweep"});
    for (const char* shard : {"3/3", "1/3", "2/3"})
        EXPECT_EQ(sweep({"--set", "name=sharded", "--shard", shard}).code, 0) << shard;
    EXPECT_EQ(results("sharded"), all);
}

TEST_F(Sweep, AFolderMayGrowAndNotChange) {
    ASSERT_EQ(sweep({"--set", "seeds=[1]"}).code, 0);
    const std::string small = results();
    const auto written = fs::last_write_time(path("runs/s/m-s1/log.jsonl"));
    for (const auto& [set, why] : {std::pair{"seeds=[2]", "it has a run \"a-lr_scale0.5-s1\", and this one has not"},
                                   {"set.batch=8", "its run \"a-lr_scale0.5-s1\" has other options"},
                                   {"config=\"other.json\"", "its config is \"tiny.json\", not \"other.json\""}}) {
        fs::copy_file(path("tiny.json"), path("other.json"), fs::copy_options::skip_existing);
        const Outcome other = sweep({"--set", "seeds=[1]", "--set", set});
        EXPECT_EQ(other.code, 2);
        expect_has(other.err, {"runs/s/sweep.json: another sweep has this folder: ", why});
    }
    EXPECT_EQ(results(), small);
    const Outcome grown = sweep({});  // seeds 1 and 2
    ASSERT_EQ(grown.code, 0) << grown.err;
    expect_has(grown.out, {"6 done"});
    EXPECT_EQ(fs::last_write_time(path("runs/s/m-s1/log.jsonl")), written) << "it ran again";
    ASSERT_EQ(sweep({"--set", "name=alone"}).code, 0);
    EXPECT_EQ(results(), results("alone"));
}

TEST_F(Sweep, ABadRunIsKnownBeforeAnyStarts) {
    const Outcome bad = sweep({"--set", "set.optimizr=1"});
    EXPECT_EQ(bad.code, 2);
    expect_has(bad.err, {"points of the sweep are wrong", "a-lr_scale0.5-s1", "did you mean \"optimizer\"?"});
    EXPECT_FALSE(fs::exists(path("runs")));
    const Outcome dry = sweep({"--dry-run"});
    EXPECT_EQ(dry.code, 0) << dry.err;
    expect_has(dry.out, {"a-lr_scale0.5-s1", "optimizer.lr_scale=0.5", "6 runs into runs/s", "TFLOP", "MiB",
                         "the time rests on: a few steps here of 2 kinds of step"});
    EXPECT_FALSE(fs::exists(path("runs")));
}

TEST_F(Sweep, DivergedAndFailedRunsAreSaidAndTheOthersGoOn) {
    write_file(path("d.json"), R"({"config": "tiny.json", "seeds": [1, 2], "stop_diverged": true,
        "set": {"max_bad_steps": 2, "max_gradient_norm": 0},
        "arms": [{"name": "bad", "set": {"optimizer": "sgd", "optimizer.lr_scale": 1e30}}, {"name": "good"}]})");
    fs::create_directories(path("runs/d/good-s2"));
    write_file(path("runs/d/good-s2/notes.txt"), "no run");
    const Outcome outcome = sweep({}, "d.json");
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    expect_has(outcome.out, {"1 done, 1 diverged, 1 failed, 1 skipped"});
    expect_has(results("d"), {"\nbad-s1,bad,1,diverged,", "\nbad-s2,bad,2,skipped,", "\ngood-s1,good,1,done,",
                              "\ngood-s2,good,2,failed,", "it is no run"});
    fs::remove_all(path("runs/d/good-s2"));
    EXPECT_EQ(sweep({}, "d.json").code, 0) << "tried again";
    expect_has(results("d"), {"\ngood-s2,good,2,done,"});
}

// A rate of 0 learns nothing and 1e30 is lost at once, so that the first seed's best point of an arm is known: b's, in
// an arm of equals the first one.
TEST_F(Sweep, OnlyTheBestPointsOfTheFirstSeedAreRunWithTheOthers) {
    write_file(path("b.json"), R"({"config": "tiny.json", "seeds": [1, 2, 3], "seeds_for_best": 1,
        "set": {"max_bad_steps": 2}, "arms": [
        {"name": "b", "axes": {"optimizer.lr_scale": [0, 1, 1e30]}},
        {"name": "equal", "set": {"optimizer.lr_scale": 0}, "axes": {"optimizer.groups.decayed.weight_decay": [0.1, 0.2]}},
        {"name": "lost", "set": {"optimizer": "muon", "max_bad_steps": 2}, "axes": {"optimizer.lr_scale": [1e30]}}]})");
    expect_has(sweep({"--dry-run"}, "b.json").out, {"12 of these runs into runs/b"});
    const Outcome outcome = sweep({"--jobs", "2"}, "b.json");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    expect_has(outcome.out, {"8 done, 2 diverged, 0 failed, 8 skipped, 0 not finished"});
    const std::string alone = results("b");
    expect_has(alone,
               {"\nb-lr_scale0-s1,b,,0,1,done,", "\nb-lr_scale0-s2,b,,0,2,skipped,", "\nb-lr_scale1-s3,b,,1,3,done,",
                "\nb-lr_scale1e+30-s2,b,,1e+30,2,skipped,", "\nequal-weight_decay0.1-s2,equal,0.1,,2,done,",
                "\nequal-weight_decay0.2-s2,equal,0.2,,2,skipped,", "\nlost-lr_scale1e+30-s2,lost,,1e+30,2,skipped,"});
    for (const char* shard : {"2/2", "1/2"})
        ASSERT_EQ(sweep({"--set", "name=parts", "--shard", shard}, "b.json").code, 0) << shard;
    EXPECT_EQ(results("parts"), alone);
    Process one({"sweep", "b.json", "--set", "name=both"}, folder()),
        two({"sweep", "b.json", "--set", "name=both"}, folder());
    EXPECT_EQ(one.wait().code, 0);
    EXPECT_EQ(two.wait().code, 0);
    EXPECT_EQ(results("both"), alone);
    expect_nothing_ran_twice("both");
    EXPECT_EQ(sweep({"--set", "halving.rungs=[0.5]", "--set", "name=no"}, "b.json").code, 2);
}

TEST_F(Sweep, TwoAtOnceShareTheRuns) {
    ASSERT_EQ(sweep({"--set", "name=alone"}).code, 0);
    Process one({"sweep", "s.json"}, folder()), two({"sweep", "s.json"}, folder());
    EXPECT_EQ(one.wait().code, 0);
    EXPECT_EQ(two.wait().code, 0);
    EXPECT_EQ(results(), results("alone"));
    expect_nothing_ran_twice("s");
}

TEST_F(Sweep, KilledAtAnyMomentItComesToTheSameBytes) {
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_EQ(sweep({"--set", "name=alone"}).code, 0);
    const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;
    const char* wanted = std::getenv("STEEPEST_SWEEP_KILLS");
    const int kills = wanted ? std::atoi(wanted) : 5;
    const Random random(7, "sweep killed");
    for (int i = 0; i < kills; ++i) {
        Process process({"sweep", "s.json", "--jobs", "2"}, folder());
        ::usleep(static_cast<useconds_t>(0.5e6 * whole.count() * random.uniform(static_cast<std::uint64_t>(i))));
        process.signal(SIGKILL);
        process.wait();
    }
    const Outcome last = sweep({"--jobs", "2"});
    ASSERT_EQ(last.code, 0) << last.err;
    EXPECT_EQ(results(), results("alone"));
    expect_nothing_ran_twice("s");
}

class HalvedSweep : public Sweep {
protected:
    // Two arms of four rates and two seeds; a rate of 0 learns nothing, and 1e30 is lost at once.
    HalvedSweep() {
        write_file(path("h.json"), R"({"config": "tiny.json", "seeds": [1, 2], "set": {"max_bad_steps": 2},
            "halving": {"rungs": [0.3, 0.6], "keep": 0.5}, "arms": [
            {"name": "a", "axes": {"optimizer.lr_scale": [0, 1, 3, 0.5]}},
            {"name": "m", "set": {"optimizer": "muon"}, "axes": {"optimizer.lr_scale": [0, 1, 2, 1e30]}}]})");
    }
    std::string cell(const std::string& results, const std::string& run, std::size_t column) const {
        std::size_t at = results.find("\n" + run + ",") + 1;
        for (; column > 0; --column) at = results.find(',', at) + 1;
        return results.substr(at, results.find_first_of(",\n", at) - at);
    }
};

TEST_F(HalvedSweep, SurvivorsAreTheRunsTheyWouldHaveBeenAlone) {
    const Outcome halved = sweep({"--jobs", "2"}, "h.json");
    ASSERT_EQ(halved.code, 0) << halved.err;
    // Of four points two pass a rung, and of these one.
    expect_has(halved.out, {"4 done, 2 diverged, 0 failed, 0 skipped, 10 stopped by halving at [0.3,0.6], 0 not fin"});
    const std::string all = results("h");
    expect_has(all, {"seed,status,stopped_at_rung,steps,", "\na-lr_scale0-s1,a,0,1,stopped,1,20,640,",
                     "\nm-lr_scale1e+30-s2,m,1e+30,2,diverged,,"});
    ASSERT_EQ(sweep({"--jobs", "2", "--set", "name=whole", "--set", "halving.rungs=[]"}, "h.json").code, 0);
    const std::string whole = results("whole");
    int survivors = 0;
    for (const auto& entry : fs::directory_iterator(path("runs/h"))) {
        const std::string run = entry.path().filename().string();
        if (cell(all, run, 4) != "done") continue;
        ++survivors;
        // Final and best loss; there is no column of rungs where nothing was halved.
        for (const std::size_t column : {10u, 11u}) EXPECT_EQ(cell(all, run, column), cell(whole, run, column - 1));
        const std::string weights = "/checkpoints/step_000060/weights.safetensors";
        EXPECT_TRUE(read_file(path("runs/h/" + run + weights)) == read_file(path("runs/whole/" + run + weights)));
    }
    EXPECT_EQ(survivors, 4);
    expect_nothing_ran_twice("whole");
    EXPECT_EQ(sweep({}, "h.json").code, 0);
    EXPECT_EQ(results("h"), all) << "nothing goes on once it has lost";
}

TEST_F(HalvedSweep, ShardsAndKillsComeToTheSameSurvivors) {
    ASSERT_EQ(sweep({"--jobs", "2"}, "h.json").code, 0);
    const std::string alone = results("h");
    // One after the other: the last that completes a rung goes on with everyone's survivors.
    for (const char* shard : {"2/3", "1/3", "3/3"})
        ASSERT_EQ(sweep({"--set", "name=after", "--shard", shard}, "h.json").code, 0) << shard;
    EXPECT_EQ(results("after"), alone);
    Process one({"sweep", "h.json", "--set", "name=beside", "--shard", "1/2"}, folder()),
        two({"sweep", "h.json", "--set", "name=beside", "--shard", "2/2"}, folder());
    EXPECT_EQ(one.wait().code, 0);
    EXPECT_EQ(two.wait().code, 0);
    EXPECT_EQ(results("beside"), alone);
    const Random random(8, "halved sweep killed");
    for (std::uint64_t i = 0; i < 5; ++i) {
        Process process({"sweep", "h.json", "--set", "name=killed", "--jobs", "2"}, folder());
        ::usleep(static_cast<useconds_t>(2e6 * random.uniform(i)));
        process.signal(SIGKILL);
        process.wait();
    }
    const Outcome last = sweep({"--jobs", "2", "--set", "name=killed"}, "h.json");
    EXPECT_EQ(last.code, 0) << last.err;
    EXPECT_EQ(results("killed"), alone);
}

TEST_F(HalvedSweep, RungsNeedEvaluations) {
    const Outcome bad = sweep({"--set", "set.evaluation={\"every\": 0}"}, "h.json");
    EXPECT_EQ(bad.code, 2);
    expect_has(bad.err, {"run a-lr_scale0-s1", "evaluation.every is 0"});
    EXPECT_FALSE(fs::exists(path("runs")));
}

}  // namespace
}  // namespace steepest::sweep
