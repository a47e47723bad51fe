#include "core/error.h"
#include "core/file.h"
#include "tests/temporary_folder.h"
#include "train/console.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace steepest {
namespace {

// A console whose output goes into a file, with a clock that the test turns.
class ConsoleTest : public testing::TemporaryFolder {
protected:
    ConsoleTest() : descriptor_(::open(path("out").c_str(), O_RDWR | O_CREAT | O_APPEND, 0600)) {}
    ~ConsoleTest() override { ::close(descriptor_); }

    ConsoleOptions options(bool terminal, int width = 80) {
        return {.name = "a",
                .log_path = path("train.log"),
                .descriptor = descriptor_,
                .terminal = terminal,
                .colors = false,
                .width = width,
                .clock = [this] { return now; }};
    }
    ConsoleOptions detected() {
        ConsoleOptions o;
        o.log_path = path("train.log"), o.descriptor = descriptor_;
        return o;
    }
    std::string output() const { return read_file(path("out")); }

    double now = 1000;

private:
    int descriptor_;
};

Progress at(std::int64_t step, double seconds_a_step = 0.5) {
    return {.step = step,
            .tokens = step * 4096,
            .loss = 10.0 / static_cast<double>(step + 1),
            .train_seconds = static_cast<double>(step) * seconds_a_step,
            .wall_seconds = static_cast<double>(step) * seconds_a_step + 1};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

// What is on the screen at each moment: the live line after each redraw, and the lines that stay.
struct Screen {
    std::vector<std::string> live, kept;
    std::string current;
    explicit Screen(const std::string& bytes) {
        for (std::size_t i = 0; i < bytes.size(); ++i)
            if (bytes[i] == '\n') {
                kept.push_back(current), current.clear();
            } else if (bytes.compare(i, 4, "\r\033[K") == 0) {
                if (!current.empty()) live.push_back(current);
                current.clear(), i += 3;
            } else {
                current += bytes[i];
            }
    }
};

TEST_F(ConsoleTest, APipeGetsAboutTwentyPlainLines) {
    {
        Console console(options(false));
        console.start(400);
        console.evaluation(0, "validation", 5.55);
        for (int step = 1; step <= 400; ++step) now += 0.5, console.progress(at(step));
        console.finish();
    }
    const std::vector<std::string> lines = lines_of(output());
    ASSERT_EQ(lines.size(), 21u);
    EXPECT_EQ(lines[0], "step 0/400  validation loss 5.5500");
    EXPECT_EQ(lines[1], "step 20/400  loss 0.4762  val 5.5500  8.19k tok/s  ETA 3:10");
    EXPECT_EQ(lines[20], "step 400/400  loss 0.0249  val 5.5500  8.19k tok/s  took 3:21");
    EXPECT_EQ(output().find('\033'), std::string::npos);
    EXPECT_EQ(output().find('\r'), std::string::npos);
    EXPECT_EQ(lines_of(read_file(path("train.log"))).size(), 21u);
}

TEST_F(ConsoleTest, ShortRunsAndResumedRuns) {
    Console console(options(false));
    console.start(3);
    for (int step = 1; step <= 3; ++step) now += 1, console.progress(at(step, 1));
    EXPECT_EQ(lines_of(output()).size(), 3u);
    console.start(1000, at(990, 1));
    for (int step = 991; step <= 1000; ++step) now += 2, console.progress(at(step, 1));
    const std::vector<std::string> lines = lines_of(output());
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[3], "step 1000/1000  loss 0.0100  4.10k tok/s  took 16:41");
}

TEST_F(ConsoleTest, TheLiveLineIsRedrawnAtMostTenTimesASecond) {
    Console console(options(true));
    console.start(100000);
    for (int step = 1; step <= 1000; ++step) now += 0.01, console.progress(at(step, 0.01));  // ten seconds
    console.finish();
    const Screen screen(output());
    EXPECT_GE(screen.live.size(), 90u);
    EXPECT_LE(screen.live.size(), 101u);
    EXPECT_TRUE(screen.kept.empty());
    EXPECT_EQ(screen.current, "") << "finish() takes the line away";
    EXPECT_EQ(screen.live.back().rfind("step ", 0), 0u) << screen.live.back();
}

TEST_F(ConsoleTest, TheLiveLineNeverWraps) {
    for (const int width : {0, 1, 2, 10, 40, 200}) {
        std::ignore = ::truncate(path("out").c_str(), 0);
        Console console(options(true, width));
        console.start(1000000);
        console.evaluation(0, "validation", 5);
        now += 1, console.progress(at(999));
        console.logger().info("m");
        console.finish();
        std::size_t longest = 0;
        for (const std::string& line : Screen(output()).live) longest = std::max(longest, line.size());
        EXPECT_LE(longest, static_cast<std::size_t>(std::max(width - 1, 0)));
        EXPECT_EQ(longest > 0, width > 1);
    }
}

TEST_F(ConsoleTest, MessagesStandAboveTheLiveLine) {
    Console console(options(true));
    console.start(1000);
    now += 1, console.progress(at(1));
    console.logger().info("hello");
    console.logger().warn("watch out");
    console.logger().error("bad");
    const Screen screen(output());
    EXPECT_EQ(screen.kept, (std::vector<std::string>{"hello", "warning: watch out", "error: bad"}));
    ASSERT_EQ(screen.live.size(), 3u);
    EXPECT_EQ(screen.current, screen.live[0]) << "the live line is back";
    const std::vector<std::string> log = lines_of(read_file(path("train.log")));
    ASSERT_EQ(log.size(), 3u);
    EXPECT_NE(log[1].find(" warning: watch out"), std::string::npos) << log[1];
    EXPECT_NE(log[2].find(" error: bad"), std::string::npos) << log[2];
}

TEST_F(ConsoleTest, ColorsOnATerminalUnlessRefused) {
    const auto with = [&](const char* name, const char* value) {
        std::ignore = ::truncate(path("out").c_str(), 0);
        const char* before = std::getenv(name);
        const std::string old = before ? before : "";
        ::setenv(name, value, 1);
        ConsoleOptions o = options(true);
        o.colors.reset();
        { Console(o).logger().warn("x"); }
        before ? ::setenv(name, old.c_str(), 1) : ::unsetenv(name);
        return output();
    };
    ::unsetenv("NO_COLOR");
    EXPECT_EQ(with("TERM", "xterm"), "\033[33mwarning:\033[0m x\n");
    EXPECT_EQ(with("TERM", "dumb"), "warning: x\n");
    EXPECT_EQ(with("NO_COLOR", "1"), "warning: x\n");
    EXPECT_EQ(read_file(path("train.log")).find('\033'), std::string::npos);
}

TEST_F(ConsoleTest, AFileIsNoTerminal) {
    {
        Console console(detected());
        console.start(1);
        console.progress(at(1));
        console.logger().warn("x");
    }
    EXPECT_EQ(output().find('\033'), std::string::npos);
    EXPECT_EQ(lines_of(output()).size(), 2u);
}

TEST_F(ConsoleTest, QuietStillKeepsTheLog) {
    ConsoleOptions o = options(false);
    o.quiet = true;
    Console console(o);
    console.start(1);
    console.progress(at(1));
    console.evaluation(1, "validation", 3);
    console.logger().warn("x");
    EXPECT_EQ(output(), "warning: x\n");
    EXPECT_EQ(lines_of(read_file(path("train.log"))).size(), 3u);
}

TEST_F(ConsoleTest, SeveralInOneProcess) {
    Console a(options(false));
    ConsoleOptions other = options(false);
    other.log_path = path("other.log");
    Console b(other);  // the same name, too
    std::thread first([&] {
        for (int i = 0; i < 200; ++i) a.logger().info("from a");
    });
    for (int i = 0; i < 200; ++i) b.logger().info("from b");
    first.join();
    const std::vector<std::string> lines = lines_of(output());
    EXPECT_EQ(lines.size(), 400u);
    EXPECT_EQ(std::ranges::count(lines, "from a"), 200);
    EXPECT_EQ(read_file(path("train.log")).find("from b"), std::string::npos);
    EXPECT_EQ(lines_of(read_file(path("other.log"))).size(), 200u);
}

TEST_F(ConsoleTest, TheLogIsAppendedTo) {
    { Console(options(false)).logger().info("one"); }
    { Console(options(false)).logger().info("two"); }
    EXPECT_EQ(lines_of(read_file(path("train.log"))).size(), 2u);
}

TEST_F(ConsoleTest, ALogThatCannotBeOpened) {
    ConsoleOptions o = options(false);
    o.log_path = path("out/train.log");
    EXPECT_NE(testing::message_of<StorageError>([&] { Console c(o); }).find(o.log_path), std::string::npos);
}

TEST_F(ConsoleTest, ALossThatIsNotFinite) {
    Console console(options(false));
    console.start(1);
    Progress p = at(1, 0);
    p.loss = NAN;
    console.progress(p);
    EXPECT_EQ(output(), "step 1/1  loss nan  - tok/s  took 0:01\n");
}

TEST(ConsoleText, Numbers) {
    EXPECT_EQ(short_number(0), "0");
    EXPECT_EQ(short_number(950.4), "950");
    EXPECT_EQ(short_number(999.6), "1.00k");
    EXPECT_EQ(short_number(1234), "1.23k");
    EXPECT_EQ(short_number(12345), "12.3k");
    EXPECT_EQ(short_number(99960), "100k");
    EXPECT_EQ(short_number(999600), "1.00M");
    EXPECT_EQ(short_number(124e6), "124M");
    EXPECT_EQ(short_number(7.5e12), "7.50T");
    EXPECT_EQ(short_number(NAN), "-");
}

TEST(ConsoleText, Durations) {
    EXPECT_EQ(short_duration(0.4), "0:00");
    EXPECT_EQ(short_duration(7), "0:07");
    EXPECT_EQ(short_duration(754), "12:34");
    EXPECT_EQ(short_duration(3723), "1:02:03");
    EXPECT_EQ(short_duration(3 * 86400 + 4 * 3600 + 5 * 60 + 6), "3d 04:05");
    EXPECT_EQ(short_duration(-1), "-");
    EXPECT_EQ(short_duration(INFINITY), "-");
}

}  // namespace
}  // namespace steepest
