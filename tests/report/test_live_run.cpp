// A log that grows, is cut back and grows again under whoever reads it.
#include "core/error.h"
#include "report/live_run.h"
#include "tests/report/logs.h"

#include <algorithm>
#include <cmath>

namespace steepest::report {
namespace {

class LiveRunTest : public RunTest {
protected:
    LiveRunTest() { std::filesystem::create_directories(path("a")); }
    void append(const std::string& text) const {
        std::ofstream(path("a/log.jsonl"), std::ios::app | std::ios::binary) << text;
    }
    void cut(std::uintmax_t bytes) const { std::filesystem::resize_file(path("a/log.jsonl"), bytes); }
    std::uintmax_t size() const { return std::filesystem::file_size(path("a/log.jsonl")); }
    static std::vector<std::int64_t> steps(const std::vector<LogLine>& lines) {
        std::vector<std::int64_t> found;
        for (const LogLine& line : lines) found.push_back(line.step);
        return found;
    }
    using Steps = std::vector<std::int64_t>;
};

constexpr const char* kResume = R"({"kind":"resume","step":2,"time":{"at":"2026-11-22T23:40:00Z"}})";

TEST_F(LiveRunTest, GivesEachLineOnceAndHalfLinesNotAtAll) {
    LiveRun live(path("a"));
    EXPECT_TRUE(live.update().empty()) << "there is no log yet";
    append(start_line("a", "muon") + train_line(1, 5) + train_line(2, 4).substr(0, 30));
    EXPECT_EQ(steps(live.update()), (Steps{0, 1}));
    EXPECT_TRUE(live.update().empty());
    append(train_line(2, 4).substr(30) + eval_line(2, 3.5));
    EXPECT_EQ(steps(live.update()), (Steps{2, 2}));
    EXPECT_EQ(live.record().name, "a");
    EXPECT_EQ(live.record().train.loss, (std::vector<double>{5, 4}));
    EXPECT_EQ(live.record().final_loss(), 3.5);
    EXPECT_EQ(live.last()->step, 2);
    // Half a second a step, and 400 of them planned.
    EXPECT_DOUBLE_EQ(live.seconds_left(), 398 * 0.5);
    append(end_line(2, "interrupted"));
    live.update();
    EXPECT_EQ(live.record().status, RunStatus::interrupted);
}

TEST_F(LiveRunTest, ALogCutBackToACheckpointIsReadAnew) {
    append(start_line("a", "muon") + train_line(1, 5) + train_line(2, 4));
    const std::uintmax_t checkpoint = size();
    append(train_line(3, 3) + train_line(4, 2));
    LiveRun live(path("a"));
    EXPECT_EQ(live.update().size(), 5u);
    cut(checkpoint);
    append(kResume + std::string("\n") + train_line(3, 3, 77));
    EXPECT_EQ(steps(live.update()), (Steps{2, 3})) << "the resumption and what came after it";
    EXPECT_EQ(live.record().train.step, (Steps{1, 2, 3}));
    EXPECT_EQ(live.record().resumes, 1);

    // Also where the new log is longer than what was read of the old one.
    cut(checkpoint);
    append(kResume + std::string("\n") + train_line(3, 2.5) + train_line(4, 2.25) + train_line(5, 2));
    EXPECT_EQ(steps(live.update()), (Steps{2, 3, 4, 5}));
    EXPECT_EQ(live.record().train.loss, (std::vector<double>{5, 4, 2.5, 2.25, 2}));
}

TEST_F(LiveRunTest, WhatIsNoLogIsNamed) {
    EXPECT_EQ(message_of<InputError>([&] { LiveRun live(path("none")); }),
              path("none") + ": no such run directory or log file");
    append("hello\n");
    LiveRun live(path("a"));
    EXPECT_EQ(message_of<InputError>([&] { live.update(); }), path("a/log.jsonl") + ":1: not a line of a run log");
}

TEST_F(LiveRunTest, TheViewFitsTheTerminal) {
    append(start_line("a", "muon"));
    for (int step = 1; step <= 300; ++step) append(train_line(step, 5.0 - step / 100.0) + eval_line(step, 5));
    LiveRun live(path("a"));
    live.update();
    for (const int height : {12, 24, 50})
        for (const int width : {60, 100}) {
            const std::string text = live_view(live, "running", {.width = width, .height = height});
            EXPECT_LE(std::ranges::count(text, '\n'), height - 1) << "a line stays free";
            std::istringstream lines(text);
            for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), width) << line;
        }
    const std::string text = live_view(live, "running", {});
    for (const char* part : {"a  nano  muon  running", "training", "validation",
                             "step 300/400  loss 2.0000  validation 5.0000 at 300  40,960 tokens/s", "ETA 0:00:50"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST_F(LiveRunTest, LinesForAPipe) {
    append(start_line("a", "muon") + train_line(1, NAN) + eval_line(2, 3.5) + end_line(2, "done"));
    LiveRun live(path("a"));
    std::string text;
    for (const LogLine& line : live.update()) text += progress_line(line, live.record()) + "|";
    EXPECT_EQ(text,
              "a: nano, muon, 400 steps|step 1/400  loss not finite, skipped|step 2/400  validation loss 3.5000|"
              "step 2/400  done|");
}

}  // namespace
}  // namespace steepest::report
