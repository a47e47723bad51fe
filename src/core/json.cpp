#include "core/json.h"

#include "core/error.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>
#include <vector>

namespace steepest {

namespace {

constexpr std::size_t kDeepest = 100;  // levels: merging and reading recurse, and no config needs more

// Characters of a text; all copies advance one shared position, so that a parser's callbacks know where it is.
class Cursor {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    Cursor(const char* at, const char** shared) : at_(at), shared_(shared) {}
    reference operator*() const { return *at_; }
    Cursor& operator++() {
        *shared_ = ++at_;
        return *this;
    }
    Cursor operator++(int) {
        const Cursor before = *this;
        ++*this;
        return before;
    }
    bool operator==(const Cursor& other) const { return at_ == other.at_; }
    bool operator!=(const Cursor& other) const { return at_ != other.at_; }

private:
    const char* at_;
    const char** shared_;
};

// What nlohmann's parser calls: builds the tree, and notes lines and duplicates on the way.
class Builder {
public:
    Builder(std::string_view text, ScannedJson& out)
        : text_(text), position_(text.data()), counted_(text.data()), out_(out) {}

    bool parse() {
        const char* end = text_.data() + text_.size();
        return Json::sax_parse(Cursor(position_, &position_), Cursor(end, &position_), this, Json::input_format_t::json,
                               true, true);
    }
    const std::string& problem() const { return problem_; }

    bool null() { return put(nullptr); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(std::int64_t value) { return put(value); }
    bool number_unsigned(std::uint64_t value) { return put(value); }
    bool number_float(double value, const std::string&) { return put(value); }
    bool string(std::string& value) { return put(std::move(value)); }
    bool binary(Json::binary_t&) { return false; }
    bool start_object(std::size_t) { return open(Json::object()); }
    bool start_array(std::size_t) { return open(Json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(std::string& name) {
        Level& level = levels_.back();
        level.key = name;
        const std::string pointer = pointer_to(level.pointer, name);
        line_ += static_cast<int>(std::count(counted_, position_, '\n'));
        counted_ = position_;
        const auto [first, fresh] = out_.lines.emplace(pointer, line_);
        if (fresh) return true;
        out_.duplicates.add(pointer, first->second == line_
                                         ? "duplicate key, twice on line " + std::to_string(line_)
                                         : "duplicate key, on lines " + std::to_string(first->second) + " and " +
                                               std::to_string(line_));
        return true;
    }
    bool parse_error(std::size_t read, const std::string& token, const Json::exception& error) {
        // The parser stands behind the token it could not use. Of strings and numbers alone `token` is the text.
        const std::string_view what = error.what();
        const auto says = [&](std::string_view part) { return what.find(part) != what.npos; };
        const bool exact = says("unexpected string") || says("unexpected number") || says("number overflow");
        fail(read - std::min(read, exact ? token.size() : 1), what);
        return false;
    }

private:
    struct Level {
        Json* json;
        std::string pointer, key;
    };

    // The element about to be written: of the open object or list, or the whole.
    Json& slot() {
        if (levels_.empty()) return out_.json;
        Level& level = levels_.back();
        if (level.json->is_object()) return (*level.json)[level.key];
        level.json->push_back(nullptr);
        return level.json->back();
    }
    bool put(Json value) {
        slot() = std::move(value);
        return true;
    }
    bool open(Json empty) {
        if (levels_.size() == kDeepest) {
            fail(static_cast<std::size_t>(position_ - text_.data()) - 1, "nested deeper than 100 levels");
            return false;
        }
        std::string pointer;
        if (!levels_.empty()) {
            const Level& level = levels_.back();
            pointer =
                pointer_to(level.pointer, level.json->is_object() ? level.key : std::to_string(level.json->size()));
        }
        Json& place = slot();
        place = std::move(empty);
        levels_.push_back({&place, std::move(pointer), {}});
        return true;
    }
    bool close() {
        levels_.pop_back();
        return true;
    }
    // "3:14: unexpected '}'; expected string literal", from "[json.exception...] parse error at ...: syntax error ... -
    // ..."
    void fail(std::size_t offset, std::string_view what) {
        const std::string_view before = text_.substr(0, offset);
        const std::size_t newline = before.rfind('\n');
        const std::size_t column = newline == before.npos ? before.size() + 1 : before.size() - newline;
        if (what.starts_with('[')) what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
        if (const std::size_t dash = what.find(" - "); dash != what.npos) what.remove_prefix(dash + 3);
        problem_ = std::to_string(1 + std::ranges::count(before, '\n')) + ":" + std::to_string(column) + ": " +
                   std::string(what.substr(0, 200));
    }

    std::string_view text_;
    const char* position_;
    const char* counted_;
    int line_ = 1;
    ScannedJson& out_;
    std::vector<Level> levels_;
    std::string problem_;
};

}  // namespace

ScannedJson scan_json(std::string_view text, const std::string& name) {
    if (text.find_first_not_of(" \t\r\n") == text.npos) throw InputError(name + ": is empty");
    ScannedJson scanned;
    Builder builder(text, scanned);
    if (!builder.parse()) throw InputError(name + ":" + builder.problem());
    return scanned;
}

Json parse_json(std::string_view text, const std::string& name) {
    ScannedJson scanned = scan_json(text, name);
    scanned.duplicates.report(name);
    return std::move(scanned.json);
}

std::string pointer_to(const std::string& pointer, std::string_view key) {
    std::string out = pointer + "/";
    for (const char c : key) {
        if (c == '~' || c == '/')
            out += c == '~' ? "~0" : "~1";
        else
            out += c;
    }
    return out;
}

bool is_utf8(const std::string& text) {
    try {
        return !Json(text).dump().empty();
    } catch (const Json::type_error&) {
        return false;
    }
}

std::string brief(const Json& json) {
    constexpr std::size_t kLongest = 60;
    std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() <= kLongest) return text;
    std::size_t end = kLongest - 3;
    while ((text[end] & 0xC0) == 0x80) --end;  // not inside a UTF-8 sequence
    return text.substr(0, end) + "...";
}

Json json_number(float value) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    double decimal = 0;
    std::from_chars(digits, end, decimal);
    return decimal;
}

}  // namespace steepest
