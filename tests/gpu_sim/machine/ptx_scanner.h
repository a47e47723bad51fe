#pragma once
// Characters of a PTX text, with comments skipped and lines counted.
#include "tests/gpu_sim/machine/machine.h"
#include "tests/gpu_sim/machine/ptx_text.h"

#include <algorithm>
#include <charconv>

namespace gpu_sim::ptx {

class Scanner {
public:
    explicit Scanner(std::string_view text, std::uint32_t line = 1) : text_(text), line_(line) {}

    std::uint32_t line() const { return line_; }
    std::size_t position() const { return at_; }
    std::string_view slice(std::size_t begin, std::size_t end) const { return text_.substr(begin, end - begin); }

    bool done() {
        skip_space();
        return at_ == text_.size();
    }
    char peek() {
        skip_space();
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool accept(char c) {
        if (peek() != c) return false;
        advance();
        return true;
    }
    void expect(char c) {
        if (!accept(c)) fail(std::string("expected '") + c + "', found '" + std::string(peek_word()) + "'");
    }
    // A name, a number or a directive: all characters that may stand in one.
    std::string_view word() {
        const std::string_view found = peek_word();
        if (found.empty()) fail(std::string("expected a name, found '") + peek() + "'");
        at_ += found.size();
        return found;
    }
    std::string_view peek_word() {
        skip_space();
        std::size_t end = at_;
        while (end < text_.size() && in_word(text_[end])) ++end;
        return text_.substr(at_, end - at_);
    }
    std::uint64_t number() {
        const std::string_view digits = word();
        std::uint64_t value = 0;
        const bool hex = digits.starts_with("0x");
        const char* begin = digits.data() + (hex ? 2 : 0);
        if (std::from_chars(begin, digits.data() + digits.size(), value, hex ? 16 : 10).ec != std::errc()) {
            fail("expected a number, found '" + std::string(digits) + "'");
        }
        return value;
    }
    // All up to one of `ends`, outside of brackets; the end itself is not taken.
    std::string_view until(std::string_view ends) {
        skip_space();
        const std::size_t begin = at_;
        for (int depth = 0; at_ < text_.size(); advance()) {
            const char c = text_[at_];
            if (depth == 0 && ends.find(c) != std::string_view::npos) break;
            if (c == '"') {
                skip_string();
            } else if (text_.substr(at_, 2) == "//") {
                at_ = std::min(text_.find('\n', at_), text_.size() - 1);
                ++line_;
            } else if (c == '(' || c == '[' || c == '{') {
                ++depth;
            } else if (c == ')' || c == ']' || c == '}') {
                --depth;
            }
        }
        return trimmed(text_.substr(begin, at_ - begin));
    }
    std::string_view rest_of_line() {
        const std::size_t begin = at_;
        at_ = std::min(text_.find('\n', at_), text_.size());
        return trimmed(text_.substr(begin, at_ - begin));
    }
    [[noreturn]] void fail(const std::string& what) const {
        throw Fault("PTX line " + std::to_string(line_) + ": " + what);
    }

    static std::string_view trimmed(std::string_view s) {
        while (!s.empty() && std::string_view(" \t\r\n").find(s.front()) != s.npos) s.remove_prefix(1);
        while (!s.empty() && std::string_view(" \t\r\n").find(s.back()) != s.npos) s.remove_suffix(1);
        return s;
    }

private:
    static bool in_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
               c == '%' || c == '.' || c == ':' || c == '-' || c == '+';
    }
    void advance() {
        if (text_[at_] == '\n') ++line_;
        ++at_;
    }
    void skip_string() {
        for (advance(); at_ < text_.size() && text_[at_] != '"'; advance()) {
        }
    }
    void skip_space() {
        while (at_ < text_.size()) {
            const std::string_view rest = text_.substr(at_, 2);
            if (rest == "//") {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (rest == "/*") {
                const std::size_t end = std::min(text_.find("*/", at_), text_.size() - 2) + 2;
                while (at_ < end) advance();
            } else if (std::string_view(" \t\r\n").find(rest[0]) != rest.npos) {
                advance();
            } else {
                return;
            }
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint32_t line_;
};

// .global .align 4 .b8 name[16] = {...}   up to, not including, what ends it
Variable parse_variable(Scanner& scan);

}  // namespace gpu_sim::ptx
