#pragma once
// JSON as this project reads it: comments allowed, duplicate keys and trailing text refused, errors with
// file:line:column, and the line of every value kept, so that a mistake found much later can still say where it was
// written.
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace steepest {

// Keys keep their order: a config is written in the order its struct declares.
using Json = nlohmann::ordered_json;

struct ParsedJson {
    Json json;
    std::map<std::string, int> lines;  // JSON pointer -> line, from 1
};

// `name` is the file for error texts. Throws InputError.
ParsedJson parse_json(std::string_view text, const std::string& name);
ParsedJson parse_json_file(const std::string& path);

// pointer + "/" + key, escaped as RFC 6901 says.
std::string pointer_to(const std::string& pointer, std::string_view key);
// One line of at most 60 bytes, for error texts.
std::string brief(const Json& json);
// The shortest decimal that reads back as this float, as a JSON number: 0.02f is 0.02, not 0.019999999552965164.
Json json_number(float value);

}  // namespace steepest
