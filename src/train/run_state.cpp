#include "train/run_state.h"

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"

#include <functional>
#include <type_traits>
#include <utility>

namespace steepest {

namespace {

constexpr int kFormat = 3;

// The one list of what state.json says about the run.
void each_field(auto& s, auto&& f) {
    f("step", s.step), f("tokens", s.tokens), f("gradients", s.gradients);
    f("model_flops", s.model_flops), f("optimizer_flops", s.optimizer_flops);
    f("bad_steps", s.bad_steps), f("consecutive_bad_steps", s.consecutive_bad_steps);
    f("first_loss", s.first_loss), f("consecutive_lost_steps", s.consecutive_lost_steps);
    f("log_offset", s.log_offset), f("data_hash", s.data_hash), f("config_fingerprint", s.config_fingerprint);
    f("library_choices", s.library_choices);
    f("train_seconds", s.train_seconds), f("eval_seconds", s.eval_seconds), f("wall_seconds", s.wall_seconds);
}

class StateReader {
public:
    StateReader(const Json& json, std::string path) : json_(json), path_(std::move(path)) {}

    void operator()(const char* key, std::int64_t& value) const {
        value = get(key, "a whole number", &Json::is_number_integer).get<std::int64_t>();
    }
    void operator()(const char* key, double& value) const {
        value = get(key, "a number", &Json::is_number).get<double>();
    }
    void operator()(const char* key, std::optional<double>& value) const {
        const Json& json = get(key, "a number or null", [](const Json& v) { return v.is_number() || v.is_null(); });
        value = json.is_null() ? std::nullopt : std::optional(json.get<double>());
    }
    void operator()(const char* key, std::string& value) const {
        value = get(key, "a string", &Json::is_string).get<std::string>();
    }
    void operator()(const char* key, Json& value) const { value = get(key, "an object", &Json::is_object); }
    void operator()(const char* key, std::uint64_t& value) const {
        const auto hash = from_hex(get(key, "a string", &Json::is_string).get<std::string>());
        if (!hash) throw InputError(path_ + ": " + key + " is " + brief(json_[key]) + "; expected 16 hex digits");
        value = *hash;
    }

private:
    const Json& get(const char* key, const char* expected, auto right) const {
        const auto found = json_.find(key);
        if (found == json_.end()) throw InputError(path_ + ": " + key + " is missing");
        if (!std::invoke(right, *found))
            throw InputError(path_ + ": " + key + " is " + brief(*found) + "; expected " + expected);
        return *found;
    }

    const Json& json_;
    std::string path_;
};

void each_field_of_record(auto& r, auto&& f) {
    each_field(r.run, f);
    f("model_fingerprint", r.model_fingerprint), f("optimizer_fingerprint", r.optimizer_fingerprint);
    f("weights_checksum", r.weights_checksum), f("optimizer_checksum", r.optimizer_checksum);
}

}  // namespace

void write_record(const std::string& path, const CheckpointRecord& record) {
    Json json{{"format", kFormat}};
    each_field_of_record(record, [&]<class T>(const char* key, const T& value) {
        if constexpr (std::is_same_v<T, std::uint64_t>)
            json[key] = to_hex(value);
        else if constexpr (std::is_same_v<T, std::optional<double>>)
            json[key] = value ? Json(*value) : Json();
        else
            json[key] = value;
    });
    json["checksum"] = to_hex(hash64(json.dump()));
    write_file(path, json.dump(2) + "\n");
}

CheckpointRecord read_record(const std::string& path) {
    const std::string text = read_file(path);
    Json json = parse_json(text, path);
    if (!json.is_object()) throw InputError(path + ": is " + brief(json) + "; expected an object");
    std::uint64_t stored = 0;
    StateReader(json, path)("checksum", stored);
    json.erase("checksum");
    if (const std::uint64_t actual = hash64(json.dump()); actual != stored)
        throw InputError(path + ": checksum is " + to_hex(actual) + "; expected " + to_hex(stored));
    // Other digits can be the same number: a byte that changed is a bad disk even so.
    Json whole = json;
    whole["checksum"] = to_hex(stored);
    if (whole.dump(2) + "\n" != text) throw InputError(path + ": is not spelt as it was written");
    if (const auto format = json.find("format"); format == json.end() || *format != kFormat)
        throw InputError(path + ": format is " + (format == json.end() ? "missing" : brief(*format)) + "; expected " +
                         std::to_string(kFormat));
    CheckpointRecord record;
    each_field_of_record(record, StateReader(json, path));
    return record;
}

}  // namespace steepest
