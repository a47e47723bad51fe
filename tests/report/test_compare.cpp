#include "report/compare.h"
#include "tests/report/logs.h"

#include <cmath>

namespace steepest::report {
namespace {

class CompareTest : public RunTest {
protected:
    std::string log(const std::string& optimizer, const std::vector<std::pair<std::int64_t, double>>& losses,
                    const std::string& end, int gradients_a_step = 1) const {
        std::string text = start_line("x", optimizer);
        std::int64_t last = 0;
        for (const auto& [step, loss] : losses) {
            if (step > 0) text += train_line(step, loss, 100, 5);
            text += eval_line(step, loss, gradients_a_step), last = step;
        }
        return end.empty() ? text : text + end_line(last, end);
    }
    std::vector<RunRecord> runs() const {
        return read_runs({run("base", log("adamw", {{0, 6}, {200, 3}, {400, 2}}, "done")),
                          run("fast", log("muon-mvr2", {{0, 6}, {100, 2.5}, {250, 1.5}, {400, 1.75}}, "done", 2)),
                          run("short", log("sgd", {{0, 6}, {100, 5}, {200, 4}}, "interrupted")),
                          run("blown", log("signsgd", {{0, 6}, {50, 8}, {100, NAN}}, "diverged")),
                          run("live", log("lion", {}, ""))});
    }
};

// By hand: fast passes 2 halfway from step 100 to 250, so at step 175 with 350 gradients, against 400 and 400; half a
// second a step. At step 200, where short ends, base has 3 and fast 2.5 - 1 * 100/150. Diverged at 100, before 200.
TEST_F(CompareTest, TableOfRuns) {
    EXPECT_EQ(comparison_table(runs(), 0, Axis::step), R"(
                            validation loss                  to the final loss of base, 2.0000          cost of a step
                  -----------------------------------  ----------------------------------------------  -----------------
run    optimizer       final        best  at step 200  steps  ratio  gradients  ratio  seconds  ratio  median  optimizer  state  status
                  nats/token  nats/token   nats/token                                                      ms          %    MiB
-----  ---------  ----------  ----------  -----------  -----  -----  ---------  -----  -------  -----  ------  ---------  -----  --------------------------
base   adamw          2.0000      2.0000       3.0000    400  1.00x        400  1.00x    200.0  1.00x   100.0        5.0    1.5  done
fast   muon-mvr2      1.7500      1.5000       1.8333    175  2.29x        350  1.14x     87.5  2.29x   100.0        5.0    1.5  done
short  sgd            4.0000      4.0000       4.0000      -      -          -      -        -      -   100.0        5.0    1.5  interrupted at 200/400
blown  signsgd    not finite      6.0000            -      -      -          -      -        -      -   100.0        5.0    1.5  diverged at 100, 1 skipped
live   lion                -           -            -      -      -          -      -        -      -       -          -    1.5  unfinished at 0/400
)" + 1);
}

TEST_F(CompareTest, TableOfTargets) {
    const std::vector<double> targets = {4.5, 1.75};
    EXPECT_EQ(target_table(runs(), targets),
              "              to loss 4.5               to loss 1.75\n"
              "       -------------------------  -------------------------\n"
              "run    steps  gradients  seconds  steps  gradients  seconds\n"
              "-----  -----  ---------  -------  -----  ---------  -------\n"
              "base     100        100     50.0      -          -        -\n"
              "fast      43         86     21.4    212        425    106.2\n"
              "short    150        150     75.0      -          -        -\n"
              "blown      -          -        -      -          -        -\n"
              "live       -          -        -      -          -        -\n");
}

TEST_F(CompareTest, ABaselineWithoutAFinalLossLeavesTheCostsOut) {
    for (const std::size_t baseline : {3, 4}) {
        const std::string text = comparison_table(runs(), baseline, Axis::step);
        EXPECT_NE(text.find(runs()[baseline].name + " has no finite final loss"), std::string::npos) << text;
        EXPECT_EQ(text.find('x', text.find("base ")), std::string::npos) << text;
    }
}

TEST_F(CompareTest, WithoutDifferentEndsThereIsNoColumnForThem) {
    const auto two = read_runs(
        {run("a", log("adamw", {{0, 6}, {10, 3}}, "done")), run("b", log("muon", {{0, 6}, {5, 4}, {10, 2}}, "done"))});
    EXPECT_EQ(comparison_table(two, 0, Axis::step).find("at step"), std::string::npos);
}

TEST_F(CompareTest, StatusSaysHowFar) {
    const auto all = runs();
    EXPECT_EQ(status_text(all[0]), "done");
    EXPECT_EQ(status_text(all[2]), "interrupted at 200/400");
    EXPECT_EQ(status_text(all[3]), "diverged at 100, 1 skipped");
    EXPECT_EQ(status_text(all[4]), "unfinished at 0/400");
}

class DifferencesTest : public RunTest {
protected:
    RunRecord configured(const std::string& name, const std::string& config) const {
        write(name + "/config.json", config);
        return read_run(run(name, start_line(name, "x")));
    }
};

TEST_F(DifferencesTest, OnlyWhatDiffersInPlacesThatBelongTogether) {
    const std::vector<RunRecord> runs = {
        configured(
            "a",
            R"({"name": "a", "runs": "x", "seed": 1, "opt": {"lr": 0.02, "type": "sgd", "decay": 0}, "batch": 8})"),
        configured(
            "b", R"({"name": "b", "runs": "y", "seed": 1, "opt": {"lr": 0.02, "type": "lion", "beta": 0.9}, "batch": 16,
                            "data": {"train": ["a/very/long/path/to/the/training/data.txt"]}})")};
    EXPECT_EQ(config_differences(runs, 100),
              "config key  a    b\n"
              "----------  ---  ------------------------\n"
              "batch       8    16\n"
              "opt.type    sgd  lion\n"
              "opt.decay   0    -\n"
              "opt.beta    -    0.9\n"
              "data.train  -    [\"a/very/long/path/to/t…\n");
    EXPECT_EQ(config_differences(runs, 1),
              "config key  a  b\n"
              "----------  -  --\n"
              "batch       8  16\n"
              "... and 4 more\n");
}

TEST_F(DifferencesTest, WhatIsAlikeOfAnObjectThatOthersLackIsOneRow) {
    const auto with = [&](const char* name, const char* groups) {
        return configured(name, std::string(R"({"groups": )") + groups + "}");
    };
    const std::vector<RunRecord> runs = {
        with("a", R"({"all": {"lr": 1, "rule": {"type": "sgd", "x": 1}}})"),
        with("b", R"({"some": {"lr": 2, "w": 0, "rule": {"type": "adam", "e": 1}}, "rest": {"lr": 3, "w": 0}})"),
        with("c", R"({"some": {"lr": 2, "w": 0, "rule": {"type": "adam", "e": 2}}, "rest": {"lr": 4, "w": 0}})")};
    EXPECT_EQ(config_differences(runs, 100),
              "config key             a       b       c\n"
              "---------------------  ------  ------  ------\n"
              "groups.all             3 keys  -       -\n"
              "groups.some, the rest  -       3 keys  3 keys\n"
              "groups.some.rule.e     -       1       2\n"
              "groups.rest.lr         -       3       4\n"
              "groups.rest.w          -       0       0\n");
    const std::string all = config_differences(runs, 100, true);
    EXPECT_NE(all.find("groups.all.rule.x "), all.npos) << all;
    EXPECT_NE(all.find("groups.some.w "), all.npos) << all;
}

TEST_F(DifferencesTest, ManyRunsAreCounted) {
    std::vector<RunRecord> runs;
    for (int seed = 0; seed < 7; ++seed)
        runs.push_back(configured(std::string("r") + std::to_string(seed),
                                  R"({"lr": )" + std::string(seed < 3 ? "0.1" : "0.2") + R"(, "steps": 4})"));
    runs[6].config = {{"/steps", "4"}};
    EXPECT_EQ(config_differences(runs, 100),
              "config key  values\n"
              "----------  -------------------------------------\n"
              "lr          0.1 (3 runs), 0.2 (3 runs), - (1 run)\n");
}

TEST_F(DifferencesTest, NothingToSay) {
    const RunRecord a = configured("a", R"({"name": "a", "seed": 1})"),
                    b = configured("b", R"({"name": "b", "seed": 1})");
    EXPECT_EQ(config_differences(std::vector{a, b}, 10), "");
    EXPECT_EQ(config_differences(std::vector{a}, 10), "");
    const RunRecord bare = read_run(run("c", start_line("c", "x")));
    EXPECT_EQ(config_differences(std::vector{a, bare}, 10), "");
}

}  // namespace
}  // namespace steepest::report
