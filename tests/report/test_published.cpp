// Curves of others: llm.c's main.log and CSV files, by hand-made ones and, where they are there, by real ones.
#include "core/error.h"
#include "report/arms.h"
#include "report/compare.h"
#include "report/csv.h"
#include "report/published.h"
#include "tests/report/logs.h"

#include <cmath>

namespace steepest::report {
namespace {

using Steps = std::vector<std::int64_t>;
using Values = std::vector<double>;

class Published : public RunTest {
protected:
    std::vector<RunRecord> read(const std::string& name, const std::string& text,
                                const ReadOptions& options = {}) const {
        return read_runs({write(name, text)}, options);
    }
    std::string failure(const std::string& name, const std::string& text) const {
        std::string message = message_of<InputError>([&] { read(name, text); });
        if (message.starts_with(path(name))) message.erase(0, path(name).size());
        return message;
    }
};

constexpr const char* kLlmc =
    "s:0 tel:11.0092\n"
    "s:0 trl:11.0091 lr:0.000001 norm:15.37\n"
    "s:1 trl:10.9598 lr:0.000002 norm:15.24\n"
    "s:2 tel:10.5000\n"
    "s:2 eval:0.2513\n"
    "s:2 trl:10.4000 lr:0.000003 norm:14.84\n"
    "s:3 tel:9.2500\n";

TEST_F(Published, ALogOfLlmc) {
    const std::vector<RunRecord> runs = read("gpt2/main.log", kLlmc);
    ASSERT_EQ(runs.size(), 1u);
    const RunRecord& run = runs[0];
    EXPECT_EQ(run.name, "gpt2") << "every one is called main.log";
    EXPECT_EQ(run.status, RunStatus::published);
    EXPECT_EQ(run.eval.step, (Steps{0, 2, 3}));
    EXPECT_EQ(run.eval.loss, (Values{11.0092, 10.5, 9.25}));
    EXPECT_EQ(run.eval.gradients, (Values{0, 2, 3}));
    // Its step 0 is the first update: the loss is that of our step 1, at the initial weights.
    EXPECT_EQ(run.train.step, (Steps{1, 2, 3}));
    EXPECT_EQ(run.train.loss, (Values{11.0091, 10.9598, 10.4}));
    EXPECT_EQ(run.last_step, 3);
    for (const Values* column : {&run.eval.tokens, &run.eval.seconds, &run.eval.flops, &run.eval.wall})
        for (const double x : *column) EXPECT_TRUE(std::isnan(x));
    EXPECT_EQ(status_text(run), "published");
    EXPECT_EQ(unknown_axes(runs), "published gpt2: losses taken as nats a token; tokens, seconds, flops not known\n");

    const RunRecord counted = read("x.log", kLlmc, {.tokens_per_step = 524288})[0];
    EXPECT_EQ(counted.name, "x");
    EXPECT_EQ(counted.eval.tokens, (Values{0, 2 * 524288.0, 3 * 524288.0}));
    EXPECT_TRUE(read("x.log", kLlmc, {.most_train_rows = 0})[0].train.empty());
}

TEST_F(Published, ALogOfLlmcThatWasResumedCountsItsLastSteps) {
    const RunRecord run = read("main.log",
                               "s:0 trl:9 lr:1 norm:1\ns:1 trl:8 lr:1 norm:1\ns:2 trl:7 lr:1 norm:1\ns:2 tel:6.5\n"
                               "s:1 trl:8.5 lr:1 norm:1\ns:2 trl:7.5 lr:1 norm:1\ns:2 tel:6.6\ns:3 trl:6")[0];
    EXPECT_EQ(run.train.step, (Steps{1, 2, 3, 4}));
    EXPECT_EQ(run.train.loss, (Values{9, 8.5, 7.5, 6}));
    EXPECT_EQ(run.eval.loss, (Values{6.6}));
    const RunRecord cut = read("cut.log", "s:0 trl:9\ns:1 tr")[0];
    EXPECT_EQ(cut.train.loss, (Values{9}));
    EXPECT_TRUE(cut.partial_last_line);
    const RunRecord nan = read("nan.log", "s:0 tel:9\ns:1 tel:nan\n")[0];
    EXPECT_TRUE(std::isnan(nan.final_loss()));
    EXPECT_EQ(nan.best_loss(), 9);
}

TEST_F(Published, MistakesInALogNameTheLine) {
    EXPECT_EQ(failure("main.log", "s:0 tel:9\nstep 1\ns:2 tel:8\n"),
              ":2: not a line of llm.c's main.log: \"step 1\"; expected s:STEP trl:LOSS or s:STEP tel:LOSS");
    EXPECT_NE(failure("other.log", "hello\n").find(":1: not a run log"), std::string::npos);
}

TEST_F(Published, CsvWithAColumnOfValidationLosses) {
    const std::vector<RunRecord> runs = read("curves.csv",
                                             "run,step,total,val_loss,train_time_s,note\r\n"
                                             "\"a, b\",0,20,10.5,0.25,\r\n"
                                             "c,0,30,11,,\r\n"
                                             "\"a, b\",20,20,3,9,\"says \"\"x\"\"\n and more\"\r\n"
                                             "\"a, b\",10,20,5,4,\r\n"
                                             "\"a, b\",15,20,,6,\r\n"
                                             "c,10,30,nan,5,\r\n");
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].name, "a, b");
    EXPECT_EQ(runs[0].eval.step, (Steps{0, 10, 20})) << "where a loss was measured, in order";
    EXPECT_EQ(runs[0].eval.loss, (Values{10.5, 5, 3}));
    EXPECT_EQ(runs[0].eval.seconds, (Values{0.25, 4, 9}));
    EXPECT_EQ(runs[0].start.steps, 20);
    EXPECT_TRUE(runs[0].train.empty());
    EXPECT_EQ(runs[1].name, "c");
    EXPECT_TRUE(std::isnan(runs[1].final_loss()));
    EXPECT_TRUE(std::isnan(runs[1].eval.seconds[0]));
    EXPECT_EQ(runs[1].eval.seconds[1], 5);
    EXPECT_EQ(unknown_axes(runs),
              "published a, b and 1 more: losses taken as nats a token; tokens, gradients, flops not known\n");
}

TEST_F(Published, CsvInLongFormReadsTheLossesOnly) {
    const std::vector<RunRecord> runs =
        read("figures.csv",
             "figure,series,iteration,value\n"
             "train_loss,SGD,50.0,10.4\nval_loss,SGD,100.0,9.8\nval_acc,SGD,100.0,0.05\n"
             "val_loss,SignSGD,100.0,7.2\nnoise_density,smooth,1.0,0.3\n");
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].train.step, (Steps{50}));
    EXPECT_EQ(runs[0].eval.loss, (Values{9.8}));
    EXPECT_EQ(runs[1].name, "SignSGD");
}

TEST_F(Published, WhatCompareWroteIsReadBack) {
    const std::string log = run("mine", start_line("mine", "muon") + eval_line(0, 6) + train_line(1, 5.5) +
                                            eval_line(10, 4, 2) + end_line(10, "done"));
    const std::string csv = curves_csv(read_runs({log}));
    const std::vector<RunRecord> runs = read("mine.csv", csv);
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(runs[0].optimizer(), "muon");
    EXPECT_EQ(runs[0].train.loss, (Values{5.5}));
    EXPECT_EQ(curves_csv(runs), csv);
    EXPECT_EQ(unknown_axes(runs), "");
    // A file without names is one curve, called as the file.
    EXPECT_EQ(read("alone.csv", "\xEF\xBB\xBFstep,val_loss\n0,6\n")[0].name, "alone");
}

TEST_F(Published, SomeOfAFilesCurves) {
    const std::string file = write("f.csv", "run,step,val_loss\nadam_1,0,3\nmuon_1,0,2\nmuon_2,0,1\n");
    const auto names = [&](const std::string& pattern) {
        std::vector<std::string> found;
        for (const RunRecord& run : read_runs({file + "#" + pattern})) found.push_back(run.name);
        return found;
    };
    EXPECT_EQ(names("muon_*"), (std::vector<std::string>{"muon_1", "muon_2"}));
    EXPECT_EQ(names("adam_1"), (std::vector<std::string>{"adam_1"}));
    EXPECT_EQ(message_of<InputError>([&] { names("moun_1"); }),
              file + ": none of its 3 curves is called \"moun_1\"; did you mean \"muon_1\"?");
    // The same twice is one; of two files, names that both have say whose they are.
    EXPECT_EQ(read_runs({file, file}).size(), 3u);
    const std::string other = write("g.csv", "run,step,val_loss\nadam_1,0,3\nnew,0,3\n");
    EXPECT_EQ(read_runs({file, other})[3].name, other + "#adam_1");
}

TEST_F(Published, MistakesInCsvNameTheLineAndTheColumn) {
    EXPECT_EQ(failure("a.csv", ""), ": empty");
    EXPECT_EQ(failure("a.csv", "group,opt\nx,y\n"),
              ":1: no curves: expected a column step or iteration; found: group, opt");
    EXPECT_EQ(failure("a.csv", "step,accuracy\n1,2\n"),
              ":1: no curves: expected a column val_loss, train_loss, or kind and loss; found: step, accuracy");
    EXPECT_EQ(failure("a.csv", "step,val_loss\n1,2\n2,x\n"), ":3: val_loss is \"x\"; expected a number");
    EXPECT_EQ(failure("a.csv", "step,val_loss\n1.5,2\n"), ":2: step is \"1.5\"; expected a whole number from 0 on");
    EXPECT_EQ(failure("a.csv", "step,val_loss\n-1,2\n"), ":2: step is \"-1\"; expected a whole number from 0 on");
    EXPECT_EQ(failure("a.csv", "step,val_loss\n1,2,3\n"), ":2: 3 cells; the first line has 2");
    EXPECT_EQ(failure("a.csv", "step,val_loss\n"), ": no row has a loss");
}

// It has a say in where losses are compared, on the axes that it has.
TEST_F(Published, BesideOnesOwnRuns) {
    const std::string mine = run("mine", start_line("mine", "adamw") + eval_line(0, 12) + eval_line(2, 10) +
                                             eval_line(4, 8) + end_line(4, "done"));
    const std::vector<RunRecord> runs = read_runs({mine, write("theirs/main.log", kLlmc)});
    EXPECT_EQ(arms_of(runs, Axis::step).end.x, 3);
    EXPECT_EQ(arms_of(runs, Axis::seconds).end.x, 2) << "only one's own has seconds";
    const std::string table = comparison_table(runs, 0, Axis::step);
    EXPECT_NE(table.find("theirs  -"), std::string::npos) << table;
    EXPECT_NE(table.find("published"), std::string::npos) << table;
    // To 10 from 10.5 at step 2 and 9.25 at step 3.
    EXPECT_NEAR(first_crossing(runs[1].eval, 10)->gradients, 2.4, 1e-12);
    EXPECT_TRUE(std::isnan(first_crossing(runs[1].eval, 10)->tokens));
}

TEST_F(Published, RealFiles) {
    const std::filesystem::path folder =
        std::filesystem::path(STEEPEST_SOURCE_DIR).parent_path() / "shared" / "reference";
    if (!std::filesystem::exists(folder / "lionmuon_curves.csv"))
        GTEST_SKIP() << "there are none beside the source tree";
    const RunRecord llmc = read_runs({folder / "llmc_124M_8xH100_main.log"})[0];
    EXPECT_EQ(llmc.train.size(), 19560u);
    EXPECT_EQ(llmc.eval.size(), 80u);
    EXPECT_EQ(llmc.final_loss(), 3.2722);
    EXPECT_EQ(llmc.last_step, 19560);
    EXPECT_EQ(read_runs({folder / "lionmuon_curves.csv"}).size(), 179u);
    EXPECT_EQ(read_runs({folder / "modded_nanogpt_curves.csv"}).size(), 13u);
    EXPECT_EQ(read_runs({folder / "signsgd_gpt2_curves.csv"}).size(), 2u);
}

}  // namespace
}  // namespace steepest::report
