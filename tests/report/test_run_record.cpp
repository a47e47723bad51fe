#include "core/error.h"
#include "report/run_record.h"
#include "tests/report/logs.h"

#include <cmath>

namespace steepest::report {
namespace {

using RunRecordTest = RunTest;

TEST_F(RunRecordTest, ReadsColumnsMetadataAndConfig) {
    write("a/config.json", R"({"name": "a", "optimizer": {"groups": {"x/y": {"lr": 0.02}}, "list": [1, 2]}})");
    const RunRecord run = read_run(this->run(
        "a", start_line("a", "muon") + eval_line(0, 5.5, 2) + train_line(1, 5.25, 90, 9) + train_line(2, 5, 110, 11) +
                 train_line(3, 4.5, 100, 40) + eval_line(3, 4.25, 2) + end_line(3, "done")));
    EXPECT_EQ(run.name, "a");
    EXPECT_EQ(run.optimizer(), "muon");
    EXPECT_EQ(run.start.model, "nano");
    EXPECT_EQ(run.start.parameters, 818048);
    EXPECT_EQ(run.start.steps, 400);
    EXPECT_EQ(run.start.optimizer_state_bytes, 1572864);
    EXPECT_EQ(run.status, RunStatus::done);
    EXPECT_EQ(run.last_step, 3);
    EXPECT_FALSE(run.partial_last_line);

    EXPECT_EQ(run.eval.step, (std::vector<std::int64_t>{0, 3}));
    EXPECT_EQ(run.eval.tokens, (std::vector<double>{0, 30}));
    EXPECT_EQ(run.eval.gradients, (std::vector<double>{0, 6}));
    EXPECT_EQ(run.eval.flops, (std::vector<double>{0, 324}));
    EXPECT_EQ(run.eval.seconds, (std::vector<double>{0, 1.5}));
    EXPECT_EQ(run.eval.wall, (std::vector<double>{2, 3.5}));
    EXPECT_EQ(run.eval.loss, (std::vector<double>{5.5, 4.25}));
    EXPECT_EQ(run.train.loss, (std::vector<double>{5.25, 5, 4.5}));

    EXPECT_EQ(run.final_loss(), 4.25);
    EXPECT_EQ(run.best_loss(), 4.25);
    EXPECT_EQ(run.step_ms_median, 100);
    EXPECT_DOUBLE_EQ(run.optimizer_share, 60.0 / 300.0);
    EXPECT_EQ(run.config,
              (std::vector<std::pair<std::string, std::string>>{
                  {"/name", "\"a\""}, {"/optimizer/groups/x~1y/lr", "0.02"}, {"/optimizer/list", "[1,2]"}}));
}

TEST_F(RunRecordTest, MedianOfAnEvenCountIsTheMeanOfTheMiddleTwo) {
    const RunRecord run = read_run(this->run("a", start_line("a", "x") + train_line(1, 1, 10) + train_line(2, 1, 40) +
                                                      train_line(3, 1, 20) + train_line(4, 1, 1000)));
    EXPECT_EQ(run.step_ms_median, 30);
}

TEST_F(RunRecordTest, WithoutEvaluationsOrTimesNothingIsKnown) {
    const RunRecord run = read_run(this->run("a", start_line("a", "x")));
    EXPECT_TRUE(std::isnan(run.final_loss()));
    EXPECT_TRUE(std::isnan(run.best_loss()));
    EXPECT_TRUE(std::isnan(run.step_ms_median));
    EXPECT_TRUE(std::isnan(run.optimizer_share));
    EXPECT_EQ(run.status, RunStatus::unfinished);
}

TEST_F(RunRecordTest, TakesALogFileAndNamesItByItsStem) {
    const std::string log = start_line("a", "x") + eval_line(0, 5);
    EXPECT_EQ(read_run(write("other.jsonl", log)).name, "other");
    EXPECT_EQ(read_run(write("b/log.jsonl", log)).name, "b");
    EXPECT_EQ(read_run(path("b") + "/").name, "b");
    EXPECT_EQ(read_run(path("b") + "/.").name, "b");
}

TEST_F(RunRecordTest, ALineCutOffAtTheEndIsDropped) {
    const std::string whole = start_line("a", "x") + eval_line(0, 5);
    for (const std::size_t kept : {1, 20, 60}) {
        const RunRecord run = read_run(this->run("a", whole + train_line(1, 4).substr(0, kept)));
        EXPECT_TRUE(run.partial_last_line) << kept;
        EXPECT_TRUE(run.train.empty());
        EXPECT_EQ(run.eval.size(), 1u);
    }
    // A whole line that merely lacks its newline is kept.
    std::string unended = whole + train_line(1, 4);
    unended.pop_back();
    const RunRecord run = read_run(this->run("a", unended));
    EXPECT_FALSE(run.partial_last_line);
    EXPECT_EQ(run.train.size(), 1u);
}

TEST_F(RunRecordTest, LossesNotFiniteAreNaNAndSkippedStepsAreCounted) {
    const RunRecord run =
        read_run(this->run("a", start_line("a", "x") + eval_line(0, 5) + train_line(1, 4) + train_line(2, NAN) +
                                    train_line(3, NAN) + eval_line(3, NAN) + end_line(3, "diverged")));
    EXPECT_EQ(run.skipped_steps, 2);
    EXPECT_TRUE(std::isnan(run.train.loss[1]));
    EXPECT_TRUE(std::isnan(run.final_loss()));
    EXPECT_EQ(run.best_loss(), 5);
    EXPECT_EQ(run.status, RunStatus::diverged);
}

TEST_F(RunRecordTest, ResumeContinuesTheCurveAndTheStatus) {
    const std::string first = start_line("a", "x") + eval_line(0, 5) + eval_line(2, 4) + end_line(2, "interrupted");
    EXPECT_EQ(read_run(run("a", first)).status, RunStatus::interrupted);
    const std::string resumed =
        first + R"({"kind":"resume","step":2,"from":"checkpoints/step_000002","time":{}})" + "\n";
    EXPECT_EQ(read_run(run("a", resumed)).status, RunStatus::unfinished);
    // The evaluation at the checkpoint's step may come again.
    const RunRecord run = read_run(this->run("a", resumed + eval_line(2, 4) + eval_line(4, 3) + end_line(4, "done")));
    EXPECT_EQ(run.resumes, 1);
    EXPECT_EQ(run.status, RunStatus::done);
    EXPECT_EQ(run.eval.step, (std::vector<std::int64_t>{0, 2, 4}));
}

TEST_F(RunRecordTest, OtherKindsAndOtherSplitsAreLeftOut) {
    std::string test_split = eval_line(2, 1);
    test_split.replace(test_split.find("validation"), 10, "hellaswag!");
    const RunRecord run = read_run(
        this->run("a", start_line("a", "x") + eval_line(0, 5) + R"({"kind":"diagnostics","spectra":[1,2]})" + "\n" +
                           R"({"kind":"sample","step":1,"text":"In the beginning"})" + "\n" + test_split));
    EXPECT_EQ(run.eval.size(), 1u);
}

TEST_F(RunRecordTest, RunsGivenTwiceAreReadOnceAndEqualNamesBecomePaths) {
    const std::string log = start_line("a", "x");
    const std::string a = run("a", log), other = run("sub/a", log), b = run("b", log);
    const auto runs = read_runs({a, other, b, a + "/log.jsonl"});
    ASSERT_EQ(runs.size(), 3u);
    EXPECT_EQ(runs[0].name, a);
    EXPECT_EQ(runs[1].name, other);
    EXPECT_EQ(runs[2].name, "b");
}

TEST_F(RunRecordTest, RunsOfAFolderAreInOrderOfTheNumbersInTheirNames) {
    const std::vector<std::string> names = {"a-x0.5-s1", "a-x1-s1", "a-x2-s1", "a-x2-s10", "a-x16-s2", "b-x1-s1"};
    for (const std::size_t i : {4u, 2u, 5u, 0u, 3u, 1u}) run("sweep/" + names[i], start_line("r", "adamw"));
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(path("sweep/" + name));
    EXPECT_EQ(find_runs(path("sweep")), paths);
}

TEST_F(RunRecordTest, BadInputsSayWhatAndWhere) {
    const auto message = [](const std::string& path) { return message_of<InputError>([&] { read_run(path); }); };
    const std::string good = start_line("nano-adamw", "adamw");

    run("nano-adamw", good);
    EXPECT_EQ(message(path("nano-adam")),
              path("nano-adam") + ": no such run directory or log file; did you mean \"" + path("nano-adamw") + "\"?");
    write("empty/config.json", "{}");
    EXPECT_EQ(message(path("empty")), path("empty") + ": not a run directory: there is no log.jsonl in it");

    const std::string log = path("r/log.jsonl");
    const auto of_log = [&](const std::string& text) { return message(run("r", text)); };
    EXPECT_EQ(of_log(""), log + ": empty: the run has logged nothing");
    EXPECT_EQ(of_log("s:0 tel:11.0092\n"), log + ":1: not a run log: not JSON: s:0 tel:11.0092");
    EXPECT_EQ(of_log("{\"kind\":\"sta"), log + ":1: not a run log: not JSON: {\"kind\":\"sta");
    EXPECT_EQ(of_log("{\"level\":\"info\"}\n"),
              log + ":1: not a line of a run log: expected an object with a \"kind\", found {\"level\":\"info\"}");
    EXPECT_EQ(of_log("[1]\n"), log + ":1: not a line of a run log: expected an object with a \"kind\", found [1]");
    EXPECT_EQ(of_log(eval_line(0, 5)), log + ":1: not a run log: its first line must be of kind \"start\"");
    EXPECT_EQ(of_log(good + "{\"kind\":\"train\",\n" + eval_line(0, 5)), log + ":2: not JSON: {\"kind\":\"train\",");
    EXPECT_EQ(of_log(good + "\n" + eval_line(0, 5)), log + ":2: not JSON: ");
    EXPECT_EQ(of_log(good + R"({"kind":"eval","step":1})" + "\n"),
              log + ":2: \"tokens\" is missing; expected a whole number");
    std::string words = eval_line(2, 5);
    words.replace(words.find("\"loss\":5"), 8, "\"loss\":\"low\"");
    EXPECT_EQ(of_log(good + words), log + ":2: \"loss\" is \"low\"; expected a number or null");
    EXPECT_EQ(of_log(good + eval_line(4, 5) + eval_line(2, 5)),
              log + ":3: step 2 of eval comes after step 4: the log is not one curve");
    EXPECT_EQ(of_log(good + end_line(1, "bored")),
              log + ":2: \"reason\" is \"bored\"; expected done, diverged or interrupted");

    run("c", good);
    write("c/config.json", "{\"seed\": }");
    EXPECT_NE(message(path("c")).find(path("c/config.json") + ":1"), std::string::npos) << message(path("c"));
}

}  // namespace
}  // namespace steepest::report
