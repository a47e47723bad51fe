#include "report/log_line.h"

#include "core/error.h"
#include "core/json.h"

#include <algorithm>

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

}  // namespace

std::optional<LogLine> parse_log_line(std::string_view text, const std::string& path, std::int64_t number) {
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
                      .parameters = fields.integer_or("parameters", 0),
                      .steps = fields.integer_or("steps", 0),
                      .tokens_per_step = fields.integer_or("tokens_per_step", 0),
                      .seed = fields.integer_or("seed", 0),
                      .optimizer_state_bytes = fields.integer_or("optimizer_state_bytes", -1)};
    } else if (line.kind == LogLine::Kind::train || line.kind == LogLine::Kind::eval) {
        line.tokens = fields.integer("tokens"), line.gradients = fields.integer("gradients");
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

}  // namespace steepest::report
