#pragma once
// JSON as this project reads it: comments allowed, duplicate keys and trailing text refused, errors with
// file:line:column, and the line of every value kept, so that a mistake found much later can still say where it was
// written.
#include "core/mistakes.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace steepest {

// Keys keep their order: a config is written in the order its struct declares.
using Json = nlohmann::ordered_json;

// Throws InputError that begins with `name`, the file.
Json parse_json(std::string_view text, const std::string& name);

struct ScannedJson {
    Json json;                         // of a duplicate key, the last
    std::map<std::string, int> lines;  // JSON pointer of a key -> its line, from 1
    Mistakes duplicates;
};
// The same, but duplicate keys are handed on, to be reported with what else is wrong.
ScannedJson scan_json(std::string_view text, const std::string& name);

// pointer + "/" + key, escaped as RFC 6901 says.
std::string pointer_to(const std::string& pointer, std::string_view key);
// What JSON text may hold. A string from the command line may be anything.
bool is_utf8(const std::string& text);
// One line of at most 60 bytes, for error texts.
std::string brief(const Json& json);
// The shortest decimal that reads back as this float, as a JSON number: 0.02f is 0.02, not 0.019999999552965164.
Json json_number(float value);

}  // namespace steepest
