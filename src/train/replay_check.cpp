#include "train/replay_check.h"

#include "core/error.h"

#include <filesystem>
#include <set>

namespace steepest {

namespace {

constexpr std::size_t kMostFields = 12;

std::string kind_of(const Json& line) { return line.value("kind", ""); }

bool counts(const Json& line) {
    const std::string kind = kind_of(line);
    return kind != "resume" && !(kind == "end" && line.value("reason", "") == "interrupted");
}

// A JSON that compares by content: keys in any order.
nlohmann::json comparable(const Json& line) {
    nlohmann::json kept = line;
    kept.erase("time");
    if (kind_of(line) == "start") kept.erase("run"), kept.erase("steps");
    return kept;
}

std::string value_at(const nlohmann::json& line, const std::string& pointer) {
    const nlohmann::json::json_pointer at(pointer);
    return line.contains(at) ? brief(Json(line[at])) : "nothing";
}

std::string log_of(const std::string& run) {
    const std::string log = run + "/log.jsonl";
    if (!std::filesystem::exists(log)) throw InputError(run + ": no run is there: it has no log.jsonl");
    return log;
}

}  // namespace

ReplayCheck::ReplayCheck(std::string original, std::string replay)
    : original_(std::move(original)),
      replay_(std::move(replay)),
      log_path_(log_of(original_)),
      file_(log_path_),
      rest_(file_.text()) {
    const Json first = next();
    if (kind_of(first) != "start") throw InputError(log_path_ + ":1: expected a line of kind \"start\"");
    rest_ = file_.text(), number_ = 0;
}

Json ReplayCheck::next() {
    while (!rest_.empty()) {
        ++number_;
        const std::size_t end = rest_.find('\n');
        // Half a line, at which a crash cut the log.
        if (end == std::string_view::npos) break;
        Json line = parse_json(rest_.substr(0, end), log_path_ + ":" + std::to_string(number_));
        rest_.remove_prefix(end + 1);
        if (!line.is_object() || !line.contains("kind"))
            throw InputError(log_path_ + ":" + std::to_string(number_) + ": not a line of a run log");
        if (counts(line)) return line;
    }
    rest_ = {};
    return {};
}

void ReplayCheck::take(const Json& line) {
    if (!counts(line)) return;
    const Json original = next();
    if (original.is_null()) {
        if (!ended_) throw OriginalEnded();
        throw DifferenceError(replay_ + " goes on with step " + line.value("step", Json()).dump() + " (" +
                              kind_of(line) + ") where " + original_ + " has ended");
    }
    if (comparable(original) != comparable(line)) fail(original, line);
    ++compared_;
    last_step_ = line.value("step", last_step_);
    ended_ = kind_of(line) == "end";
}

void ReplayCheck::finish() {
    const Json original = next();
    if (!original.is_null())
        throw DifferenceError(replay_ + " ends after step " + std::to_string(last_step_) + "; " + log_path_ + ":" +
                              std::to_string(number_) + " goes on with step " + original.value("step", Json()).dump() +
                              " (" + kind_of(original) + ")");
}

void ReplayCheck::take_log(const std::string& path) {
    const MappedFile file(path);
    std::string_view rest = file.text();
    for (std::int64_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos) break;
        take(parse_json(rest.substr(0, end), path + ":" + std::to_string(number)));
        rest.remove_prefix(end + 1);
    }
    finish();
}

void ReplayCheck::fail(const Json& mine, const Json& other) const {
    const nlohmann::json original = comparable(mine), replay = comparable(other);
    std::string text = replay_ + " differs from " + original_ + " at step " + original.value("step", Json()).dump() +
                       " (" + log_path_ + ":" + std::to_string(number_) + ", " + kind_of(mine) + "), after " +
                       std::to_string(compared_) + " equal lines:";
    std::set<std::string> pointers;
    // Of lines that are not each other's counterparts nothing else means anything.
    for (const char* key : {"/kind", "/step"})
        if (value_at(original, key) != value_at(replay, key)) pointers = {"/kind", "/step"};
    if (pointers.empty())
        for (const auto& change : nlohmann::json::diff(original, replay))
            pointers.insert(change.at("path").get<std::string>());
    std::size_t shown = 0;
    for (const std::string& pointer : pointers) {
        if (++shown > kMostFields) {
            text += "\n  ... and " + std::to_string(pointers.size() - kMostFields) + " more";
            break;
        }
        text += "\n  " + pointer + ": " + value_at(original, pointer) + ", now " + value_at(replay, pointer);
    }
    throw DifferenceError(text);
}

}  // namespace steepest
