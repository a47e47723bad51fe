#include "core/config_reader.h"

namespace steepest {

const Json* Reader::find(std::string_view key) {
    known_.emplace_back(key);
    const auto found = object_.find(std::string(key));
    return found == object_.end() ? nullptr : &*found;
}

void Reader::reject_unknown_keys() const {
    // What is not there yet is the likelier meaning; but a base or a preset may have brought what was to be overridden.
    std::vector<std::string> absent = known_;
    std::erase_if(absent, [&](const std::string& key) { return object_.contains(key); });
    for (const auto& [key, value] : object_.items()) {
        if (std::ranges::find(known_, key) != known_.end()) continue;
        const std::string hint = did_you_mean(key, absent);
        (at_ / key).error("unknown key" + (hint.empty() ? did_you_mean(key, known_) : hint));
    }
}

namespace detail {

bool expect(bool right_type, std::string_view what, const Json& found, const Spot& at) {
    if (!right_type) at.expected(what, found);
    return right_type;
}

std::optional<Json> whole_number(const Json& json, const Spot& at) {
    if (json.is_number_integer()) return json;
    // Schema says that 1e9 is an integer, and tokens are written so. Past 2^53 a double no longer says which.
    const double value = json.is_number_float() ? json.get<double>() : 0.5;
    if (!expect(std::trunc(value) == value, "an integer", json, at)) return std::nullopt;
    return std::abs(value) <= 0x1p53 ? Json(static_cast<std::int64_t>(value)) : json;
}

}  // namespace detail

}  // namespace steepest
