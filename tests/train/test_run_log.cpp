#include "core/error.h"
#include "core/file.h"
#include "tests/small_disk.h"
#include "tests/temporary_folder.h"
#include "train/run_log.h"

#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <unistd.h>
#include <vector>

namespace steepest {
namespace {

namespace fs = std::filesystem;
using testing::message_of;

class RunLogTest : public testing::TemporaryFolder {
protected:
    std::string log() const { return path("log.jsonl"); }
    std::string text() const { return read_file(log()); }
};

Json line(int step) { return {{"kind", "train"}, {"step", step}, {"time", {{"step_ms", step * 0.5}}}}; }

TEST_F(RunLogTest, AppendsLinesAndCounts) {
    RunLog log_file(log());
    EXPECT_EQ(log_file.offset(), 0);
    EXPECT_EQ(text(), "");
    log_file.write(line(1));
    const std::string first = "{\"kind\":\"train\",\"step\":1,\"time\":{\"step_ms\":0.5}}\n";
    EXPECT_EQ(text(), first) << "a line is in the file when write() returns";
    EXPECT_EQ(log_file.offset(), static_cast<std::int64_t>(first.size()));
    log_file.write(line(2));
    log_file.sync();
    EXPECT_EQ(text(), first + "{\"kind\":\"train\",\"step\":2,\"time\":{\"step_ms\":1.0}}\n");
    EXPECT_EQ(log_file.offset(), static_cast<std::int64_t>(text().size()));
}

TEST_F(RunLogTest, NumbersKeepEveryBit) {
    const std::vector<double> values = {0.1,   1.0 / 3, 1e-308, std::numeric_limits<double>::denorm_min(),
                                        1e300, -0.0,    5e15,   std::nextafter(1.0, 2.0)};
    const std::vector<float> floats = {0.1f, 1.0f / 3, 3.4e38f, 1e-45f, 5.5576162f};
    RunLog log_file(log());
    Json written{{"kind", "x"}, {"doubles", values}, {"floats", Json::array()}, {"big", std::int64_t{1} << 62}};
    for (const float f : floats) written["floats"].push_back(json_number(f));
    log_file.write(written);
    const Json read = parse_json(text(), "log");
    for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(read["doubles"][i].get<double>(), values[i]);
        EXPECT_EQ(std::signbit(read["doubles"][i].get<double>()), std::signbit(values[i]));
    }
    for (std::size_t i = 0; i < floats.size(); ++i) EXPECT_EQ(read["floats"][i].get<float>(), floats[i]);
    EXPECT_EQ(read["big"].get<std::int64_t>(), std::int64_t{1} << 62);
    EXPECT_NE(text().find("[0.1,"), std::string::npos) << "shortest digits: " << text();
}

TEST_F(RunLogTest, NonFiniteNumbersAreNullAndSaidSo) {
    RunLog log_file(log());
    log_file.write({{"kind", "train"}, {"time", {{"ms", 1}}}, {"loss", NAN}, {"lr", {{"all", INFINITY}}}});
    log_file.write({{"kind", "train"}, {"loss", json_number(NAN)}});
    log_file.write({{"kind", "train"}, {"loss", 1}, {"time", {{"tokens_per_s", INFINITY}}}});
    EXPECT_EQ(text(),
              "{\"kind\":\"train\",\"loss\":null,\"lr\":{\"all\":null},\"nonfinite\":true,\"time\":{\"ms\":1}}\n"
              "{\"kind\":\"train\",\"loss\":null,\"nonfinite\":true}\n"
              "{\"kind\":\"train\",\"loss\":1,\"time\":{\"tokens_per_s\":null,\"nonfinite\":true}}\n");
}

TEST_F(RunLogTest, AnyTextStaysOneLine) {
    RunLog log_file(log());
    log_file.write({{"kind", "sample"}, {"text", "a\nb\r\"\\\xff\x01\u00e9"}});
    EXPECT_EQ(text(), "{\"kind\":\"sample\",\"text\":\"a\\nb\\r\\\"\\\\\xef\xbf\xbd\\u0001\u00e9\"}\n");
}

TEST_F(RunLogTest, ReopeningMovesLaterLinesAway) {
    std::int64_t offset = 0;
    std::string kept, later;
    {
        RunLog log_file(log());
        log_file.write(line(1));
        offset = log_file.offset(), kept = text();
        log_file.write(line(2)), log_file.write(line(3));
        later = text().substr(kept.size()) + "{\"kind\":\"train\",\"st";
    }
    write_file(log(), kept + later);  // a crash in the midst of a line
    {
        RunLog log_file(log(), offset);
        EXPECT_EQ(text(), kept);
        EXPECT_EQ(log_file.offset(), offset);
        log_file.write(line(2));
    }
    EXPECT_EQ(read_file(path("log.replaced-1.jsonl")), later);
    EXPECT_EQ(text(), kept + "{\"kind\":\"train\",\"step\":2,\"time\":{\"step_ms\":1.0}}\n");
    // Nothing to move: no second file.
    { RunLog log_file(log(), static_cast<std::int64_t>(text().size())); }
    EXPECT_EQ(names(), (std::vector<std::string>{"log.jsonl", "log.replaced-1.jsonl"}));
    // From the start, as a resume without a checkpoint does.
    const std::string all = text();
    { RunLog log_file(log()); }
    EXPECT_EQ(text(), "");
    EXPECT_EQ(read_file(path("log.replaced-2.jsonl")), all);
}

TEST_F(RunLogTest, AnOffsetThatDoesNotFitIsRefused) {
    EXPECT_NE(message_of<InputError>([&] { RunLog l(log(), 5); }).find("log.jsonl: is missing"), std::string::npos);
    EXPECT_TRUE(names().empty());
    write_file(log(), "{}\n{}\n");
    EXPECT_NE(message_of<InputError>([&] { RunLog l(log(), 7); }).find("has 6 bytes; the checkpoint was written at 7"),
              std::string::npos);
    EXPECT_NE(message_of<InputError>([&] { RunLog l(log(), 4); }).find("byte 4 is inside a line"), std::string::npos);
    EXPECT_EQ(text(), "{}\n{}\n");
    EXPECT_EQ(names(), std::vector<std::string>{"log.jsonl"});
}

TEST_F(RunLogTest, AFullDiskLeavesWholeLines) {
    RunLog log_file(log());
    std::string whole;
    std::string error = "threw nothing";
    {
        const testing::FileSizeLimit limit(4096);
        for (int step = 1; error == "threw nothing" && step < 1000; ++step) {
            whole = text();
            error = message_of<StorageError>([&] { log_file.write(line(step)); });
        }
        EXPECT_EQ(text(), whole);
    }
    EXPECT_EQ(error, log() + ": cannot write: File too large");
    EXPECT_GT(whole.size(), 3900u);
    EXPECT_EQ(log_file.offset(), static_cast<std::int64_t>(whole.size()));
    log_file.write(line(7));  // somebody made room
    EXPECT_EQ(text(), whole + "{\"kind\":\"train\",\"step\":7,\"time\":{\"step_ms\":3.5}}\n");
}

TEST_F(RunLogTest, AFullDiskDoesNotCostLinesOnReopening) {
    std::string all;
    {
        RunLog log_file(log());
        for (int step = 1; step < 100; ++step) log_file.write(line(step));
        all = text();
    }
    {
        const testing::FileSizeLimit limit(1000);
        EXPECT_NE(message_of<StorageError>([&] { RunLog l(log()); }).find("File too large"), std::string::npos);
    }
    EXPECT_EQ(text(), all);
    EXPECT_EQ(names(), std::vector<std::string>{"log.jsonl"});
}

TEST_F(RunLogTest, LinesAreEqualButForTimes) {
    const std::string a = R"({"kind":"train","loss":0.1,"time":{"ms":1}})";
    EXPECT_EQ(without_time(a), R"({"kind":"train","loss":0.1})");
    EXPECT_EQ(without_time(a), without_time(R"({"kind":"train","loss":0.1,"time":{"ms":2,"x":null}})"));
    EXPECT_NE(without_time(a), without_time(R"({"kind":"train","loss":0.10000000000000002,"time":{"ms":1}})"));
    EXPECT_NE(without_time(a), without_time(R"({"kind":"eval","loss":0.1,"time":{"ms":1}})"));
    EXPECT_EQ(without_time(R"({"kind":"end"})"), R"({"kind":"end"})");
    // Only the line's own "time", not what looks like it.
    EXPECT_EQ(without_time(R"({"text":",\"time\":{}","a":{"time":3},"time":{}})"),
              R"({"text":",\"time\":{}","a":{"time":3}})");
    EXPECT_THROW(without_time("{\"kind\":\"tr"), InputError);
    EXPECT_THROW(without_time("[1]"), InputError);
}

}  // namespace
}  // namespace steepest
