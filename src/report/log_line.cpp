#include "report/log_line.h"

#include "core/error.h"
#include "core/json.h"

#include <algorithm>
#include <cstring>
#include <simdjson.h>
#include <vector>

namespace steepest::report {

namespace {

// The fields of one object, with errors that say where it stands.
class Fields {
public:
    Fields(const Json& object, const std::string& path, std::int64_t number)
        : object_(object), path_(path), number_(number) {}

    // Null, which is how the log writes what is not finite, becomes NaN.
    double number(const char* key) const {
        const Json& value = required(key, "a number or null");
        if (value.is_null()) return kUnknown;
        if (!value.is_number()) fail(key, "a number or null", brief(value));
        return value.get<double>();
    }
    double number_or(const char* key, double fallback) const { return object_.contains(key) ? number(key) : fallback; }

    std::int64_t integer(const char* key) const {
        const Json& value = required(key, "a whole number");
        if (!value.is_number_integer()) fail(key, "a whole number", brief(value));
        return value.get<std::int64_t>();
    }
    std::int64_t integer_or(const char* key, std::int64_t fallback) const {
        return object_.contains(key) ? integer(key) : fallback;
    }

    std::string text(const char* key) const {
        const Json& value = required(key, "a string");
        if (!value.is_string()) fail(key, "a string", brief(value));
        return value.get<std::string>();
    }
    std::string text_or(const char* key, std::string fallback) const {
        return object_.contains(key) ? text(key) : fallback;
    }

    bool flag(const char* key) const { return object_.contains(key) && object_.at(key) == true; }

    [[noreturn]] void fail(const char* key, const std::string& expected, const std::string& found) const {
        throw InputError(path_ + ":" + std::to_string(number_) + ": \"" + key + "\" is " + found + "; expected " +
                         expected);
    }

private:
    const Json& required(const char* key, const char* expected) const {
        const auto found = object_.find(key);
        if (found == object_.end()) fail(key, expected, "missing");
        return *found;
    }

    const Json& object_;
    const std::string& path_;
    std::int64_t number_;
};

LogLine::Kind kind_of(std::string_view name) {
    constexpr std::pair<std::string_view, LogLine::Kind> kKinds[] = {{"start", LogLine::Kind::start},
                                                                     {"train", LogLine::Kind::train},
                                                                     {"eval", LogLine::Kind::eval},
                                                                     {"resume", LogLine::Kind::resume},
                                                                     {"end", LogLine::Kind::end}};
    const auto* found = std::ranges::find(kKinds, name, [](const auto& entry) { return entry.first; });
    return found == std::end(kKinds) ? LogLine::Kind::other : found->second;
}

// What a train or eval line must have.
enum Field : unsigned { kStep = 1, kTokens = 2, kGradients = 4, kModelFlops = 8, kOptimizerFlops = 16, kLoss = 32 };
constexpr unsigned kEveryField = 63;

bool take_integer(const simdjson::dom::element& value, std::int64_t& out) {
    return value.get(out) == simdjson::SUCCESS;
}
bool take_count(const simdjson::dom::element& value, double& out) {
    std::int64_t count = 0;
    if (!take_integer(value, count)) return false;
    return out = static_cast<double>(count), true;
}
bool take_number(const simdjson::dom::element& value, double& out) {
    if (value.is_null()) return out = kUnknown, true;
    return value.get(out) == simdjson::SUCCESS;
}

bool take_clock(const simdjson::dom::element& value, LogLine& line) {
    simdjson::dom::object clock;
    if (value.get(clock)) return true;
    bool good = true;
    for (const auto& [key, time] : clock) {
        if (key == "step_ms") good &= take_number(time, line.step_ms);
        if (key == "optimizer_ms") good &= take_number(time, line.optimizer_ms);
        if (key == "train_s") good &= take_number(time, line.train_s);
        if (key == "wall_s") good &= take_number(time, line.wall_s);
    }
    return good;
}

// Train and eval lines, which are nearly all there are. False for every other line and for one with a mistake.
bool take_row(const simdjson::dom::object& object, LogLine& line) {
    unsigned found = 0;
    bool good = true, split = false;
    for (const auto& [key, value] : object) {
        if (key == "kind") {
            std::string_view kind;
            if (value.get(kind)) return false;
            line.kind = kind_of(kind);
            if (line.kind != LogLine::Kind::train && line.kind != LogLine::Kind::eval) return false;
        } else if (key == "step") {
            good &= take_integer(value, line.step), found |= kStep;
        } else if (key == "tokens") {
            good &= take_count(value, line.tokens), found |= kTokens;
        } else if (key == "gradients") {
            good &= take_count(value, line.gradients), found |= kGradients;
        } else if (key == "model_flops") {
            good &= take_number(value, line.model_flops), found |= kModelFlops;
        } else if (key == "optimizer_flops") {
            good &= take_number(value, line.optimizer_flops), found |= kOptimizerFlops;
        } else if (key == "loss") {
            good &= take_number(value, line.loss), found |= kLoss;
        } else if (key == "skipped") {
            bool skipped = false;
            line.skipped = value.get(skipped) == simdjson::SUCCESS && skipped;
        } else if (key == "split") {
            std::string_view name;
            good &= value.get(name) == simdjson::SUCCESS, split = true, line.split = name;
        } else if (key == "time") {
            good &= take_clock(value, line);
        }
    }
    return good && found == kEveryField && line.kind != LogLine::Kind::other &&
           (split || line.kind == LogLine::Kind::train);
}

// Lines that come once, and those with a mistake, whose error text needs what was found.
std::optional<LogLine> parse_slowly(std::string_view text, const std::string& path, std::int64_t number) {
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) return std::nullopt;
    const auto kind = json.is_object() ? json.find("kind") : json.end();
    if (kind == json.end() || !kind->is_string())
        throw InputError(path + ":" + std::to_string(number) +
                         ": not a line of a run log: expected an object with a \"kind\", found " + brief(json));

    const Fields fields(json, path, number);
    LogLine line;
    line.kind = kind_of(kind->get_ref<const std::string&>());
    if (line.kind == LogLine::Kind::other) return line;
    line.step = fields.integer("step");
    if (line.kind == LogLine::Kind::start) {
        line.start = {.run = fields.text_or("run", ""),
                      .model = fields.text_or("model", ""),
                      .optimizer = fields.text_or("optimizer", ""),
                      .device = fields.text_or("device", ""),
                      .commit = fields.text_or("commit", ""),
                      .init = fields.text_or("init", ""),
                      .data = fields.text_or("data", ""),
                      .parameters = fields.integer_or("parameters", 0),
                      .steps = fields.integer_or("steps", 0),
                      .tokens_per_step = fields.integer_or("tokens_per_step", 0),
                      .seed = fields.integer_or("seed", 0),
                      .optimizer_state_bytes = fields.integer_or("optimizer_state_bytes", -1)};
    } else if (line.kind == LogLine::Kind::train || line.kind == LogLine::Kind::eval) {
        line.tokens = static_cast<double>(fields.integer("tokens"));
        line.gradients = static_cast<double>(fields.integer("gradients"));
        line.model_flops = fields.number("model_flops"), line.optimizer_flops = fields.number("optimizer_flops");
        line.loss = fields.number("loss");
        line.skipped = fields.flag("skipped");
        if (line.kind == LogLine::Kind::eval) line.split = fields.text("split");
    } else if (line.kind == LogLine::Kind::end) {
        line.reason = fields.text("reason");
    }
    if (const auto time = json.find("time"); time != json.end() && time->is_object()) {
        const Fields clock(*time, path, number);
        line.step_ms = clock.number_or("step_ms", kUnknown),
        line.optimizer_ms = clock.number_or("optimizer_ms", kUnknown);
        line.train_s = clock.number_or("train_s", kUnknown), line.wall_s = clock.number_or("wall_s", kUnknown);
    }
    return line;
}

}  // namespace

struct LogParser::Buffers {
    simdjson::dom::parser parser;
    std::vector<char> padded;
};

LogParser::LogParser() : buffers_(std::make_unique<Buffers>()) {}
LogParser::~LogParser() = default;

std::optional<LogLine> LogParser::parse(std::string_view text, const std::string& path, std::int64_t number) {
    // simdjson reads past the text's end; a line at the end of a mapped file has nothing there.
    if (buffers_->padded.size() < text.size() + simdjson::SIMDJSON_PADDING)
        buffers_->padded.resize(2 * text.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(buffers_->padded.data(), text.data(), text.size());
    std::optional<LogLine> line(std::in_place);
    simdjson::dom::object object;
    if (buffers_->parser.parse(buffers_->padded.data(), text.size(), false).get(object) == simdjson::SUCCESS &&
        take_row(object, *line))
        return line;
    return parse_slowly(text, path, number);
}

}  // namespace steepest::report
