// The event file against a reader written from the formats' descriptions, and against TensorBoard's own.
#include "tests/train/run_fixture.h"
#include "train/event_file.h"

#include <cmath>
#include <cstdlib>

namespace steepest {
namespace {

namespace fs = std::filesystem;

// Bit by bit, as RFC 3720 defines it.
std::uint32_t crc32c(std::string_view data) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const unsigned char byte : data) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return ~crc;
}
std::uint32_t masked(std::string_view data) {
    const std::uint32_t crc = crc32c(data);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

template <class T>
T take(std::string_view& bytes) {
    T value;
    if (bytes.size() < sizeof value) throw std::runtime_error("ends too early");
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return value;
}
std::uint64_t take_varint(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = take<unsigned char>(bytes);
        value |= std::uint64_t(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
}
std::string_view take_bytes(std::string_view& bytes) {
    const std::uint64_t size = take_varint(bytes);
    const std::string_view taken = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return taken;
}

struct Scalar {
    std::int64_t step;
    double time;
    std::string tag;
    float value;
    bool operator==(const Scalar& o) const {
        return step == o.step && time == o.time && tag == o.tag &&
               (value == o.value || (std::isnan(value) && std::isnan(o.value)));
    }
};
void PrintTo(const Scalar& s, std::ostream* out) {
    *out << s.step << " at " << s.time << ": " << s.tag << " = " << s.value;
}

std::vector<Scalar> read_events(const std::string& path) {
    const std::string file = read_file(path);
    std::vector<Scalar> scalars;
    std::string_view rest = file;
    for (int record = 0; !rest.empty(); ++record) {
        const std::string_view length_bytes = rest.substr(0, 8);
        const auto length = take<std::uint64_t>(rest);
        EXPECT_EQ(take<std::uint32_t>(rest), masked(length_bytes));
        std::string_view event = rest.substr(0, length);
        rest.remove_prefix(length);
        EXPECT_EQ(take<std::uint32_t>(rest), masked(event));
        Scalar scalar{};
        while (!event.empty()) switch (take_varint(event)) {
                case 1 << 3 | 1:
                    scalar.time = take<double>(event);
                    break;
                case 2 << 3 | 0:
                    scalar.step = static_cast<std::int64_t>(take_varint(event));
                    break;
                case 3 << 3 | 2:
                    EXPECT_EQ(take_bytes(event), "brain.Event:2");
                    EXPECT_EQ(record, 0);
                    break;
                case 5 << 3 | 2: {
                    std::string_view summary = take_bytes(event);
                    while (!summary.empty()) {
                        EXPECT_EQ(take_varint(summary), 1u << 3 | 2);
                        std::string_view value = take_bytes(summary);
                        EXPECT_EQ(take_varint(value), 1u << 3 | 2);
                        scalar.tag = take_bytes(value);
                        EXPECT_EQ(take_varint(value), 2u << 3 | 5);
                        scalar.value = take<float>(value);
                        EXPECT_TRUE(value.empty());
                        scalars.push_back(scalar);
                    }
                    break;
                }
                default:
                    ADD_FAILURE() << "an unknown field";
                    return scalars;
            }
    }
    return scalars;
}

class EventFileTest : public testing::RunTest {
protected:
    static std::string events(const std::string& run) { return run + "/events.out.tfevents.steepest"; }
    // What the lines of the run's log come to, by hand.
    static std::vector<Scalar> expected(const std::string& run) {
        std::vector<Scalar> scalars;
        double start = 0;
        std::istringstream log(read_file(run + "/log.jsonl"));
        for (std::string text; std::getline(log, text);) {
            const Json line = Json::parse(text);
            if (line["kind"] == "start") {
                int year, month, day, hour, minute, second;
                EXPECT_EQ(std::sscanf(line["time"]["at"].get<std::string>().c_str(), "%d-%d-%dT%d:%d:%dZ", &year,
                                      &month, &day, &hour, &minute, &second),
                          6);
                const auto days =
                    std::chrono::sys_days(std::chrono::year(year) / month / day).time_since_epoch().count();
                start = days * 86400.0 + hour * 3600 + minute * 60 + second;
            }
            if (line["kind"] != "train" && line["kind"] != "eval") continue;
            const auto add = [&](const std::string& tag, const Json& value) {
                scalars.push_back({line["step"], start + line["time"]["wall_s"].get<double>(), tag,
                                   value.is_null() ? NAN : value.get<float>()});
            };
            if (line["kind"] == "eval") {
                add("loss/validation", line["loss"]);
                continue;
            }
            add("loss/train", line["loss"]), add("gradient_norm", line["grad_norm"]);
            add("tokens_per_second", line["time"]["tokens_per_s"]);
            for (const auto& [group, rate] : line["lr"].items()) add("learning_rate/" + group, rate);
        }
        return scalars;
    }
};

TEST_F(EventFileTest, TheReadersOwnChecksumIsRight) {
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu) << "RFC 3720, appendix B.4";
    EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
}

TEST_F(EventFileTest, IsWrittenOnRequestAlone) {
    EXPECT_FALSE(fs::exists(events(train("a"))));
    const std::string run = train("b", {"log.tensorboard=true", "optimizer=muon"});
    const auto scalars = read_events(events(run));
    EXPECT_EQ(scalars, expected(run));
    // Eight steps of three scalars and the rates of two groups, and three evaluations.
    EXPECT_EQ(scalars.size(), 8u * 5 + 3);
}

TEST_F(EventFileTest, AStepThatIsNotFiniteIsNaN) {
    write_file(path("log.jsonl"),
               R"({"kind":"start","step":0,"time":{"at":"2026-11-22T23:30:00Z"}})"
               "\n"
               R"({"kind":"train","step":300,"loss":null,"grad_norm":null,"lr":{"all":0.5},"time":{"wall_s":2.5}})"
               "\n{\"kind\":\"tr");
    EventFile(path("events")).add_log(path("log.jsonl"));
    const double at = 1795390200 + 2.5;  // date -u -d 2026-11-22T23:30:00Z +%s
    EXPECT_EQ(read_events(path("events")), (std::vector<Scalar>{{300, at, "loss/train", NAN},
                                                                {300, at, "gradient_norm", NAN},
                                                                {300, at, "tokens_per_second", NAN},
                                                                {300, at, "learning_rate/all", 0.5f}}));
}

// As after a crash: the log and the events go past the checkpoint, the last of both cut short.
TEST_F(EventFileTest, AfterACrashNothingIsThereTwice) {
    const Sets sets = {"log.tensorboard=true"};
    const std::string run = train("a", sets);
    fs::remove_all(run + "/checkpoints/step_000008");
    fs::resize_file(run + "/log.jsonl", fs::file_size(run + "/log.jsonl") - 7);
    fs::resize_file(events(run), fs::file_size(events(run)) - 7);
    train("a", sets, {.resume = true});
    EXPECT_EQ(read_events(events(run)), expected(run));
    EXPECT_EQ(read_events(events(run)).size(), 8u * (3 + config(sets).optimizer.groups.size()) + 3);

    fs::remove_all(run + "/checkpoints/step_000008");
    train("a", Sets{}, {.resume = true});
    EXPECT_FALSE(fs::exists(events(run))) << "one that no longer follows the log would mislead";
}

TEST_F(EventFileTest, TensorBoardReadsIt) {
    const char* chosen = std::getenv("STEEPEST_TEST_PYTHON");
    const std::string python = chosen && *chosen ? chosen : "python3";
    if (std::system((python + " -c 'import tensorboard' 2>/dev/null").c_str()) != 0)
        GTEST_SKIP() << python << " has no tensorboard: pip install tensorboard, STEEPEST_TEST_PYTHON=its python";
    const std::string run = train("a", {"log.tensorboard=true", "optimizer=muon"});
    const std::string script = std::string(STEEPEST_SOURCE_DIR) + "/tests/train/read_events.py";
    ASSERT_EQ(std::system((python + " " + script + " " + run + " > " + path("read.json")).c_str()), 0);
    const Json read = parse_json(read_file(path("read.json")), "read.json");
    std::size_t count = 0;
    for (const Scalar& scalar : expected(run)) {
        const Json& of_tag = read.at(scalar.tag);
        bool found = false;
        for (const Json& event : of_tag)
            found |= event[0] == scalar.step && event[1] == scalar.time && event[2].get<float>() == scalar.value;
        EXPECT_TRUE(found) << ::testing::PrintToString(scalar);
        ++count;
    }
    std::size_t there = 0;
    for (const auto& [tag, of_tag] : read.items()) there += of_tag.size();
    EXPECT_EQ(there, count);
}

}  // namespace
}  // namespace steepest
