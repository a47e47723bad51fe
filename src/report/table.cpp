#include "report/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace steepest::report {

namespace {

constexpr int kGap = 2;

struct Range {
    std::uint32_t first, last;
};
// Unicode 15, the blocks that occur in names of runs and files.
constexpr Range kZeroWidth[] = {{0x0300, 0x036F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},
                                {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xAC00, 0xD7A3},
                           {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
                           {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD}};

bool within(std::span<const Range> ranges, std::uint32_t c) {
    return std::ranges::any_of(ranges, [c](const Range& r) { return c >= r.first && c <= r.last; });
}

struct Character {
    std::size_t bytes;
    int width;
};

// The first character of a text that is not empty.
Character next_character(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t bytes = lead < 0x80 ? 1 : lead >> 5 == 0x6 ? 2 : lead >> 4 == 0xE ? 3 : lead >> 3 == 0x1E ? 4 : 0;
    if (bytes == 1) return {1, 1};
    if (bytes == 0 || bytes > text.size()) return {1, 1};
    std::uint32_t code = lead & (0x7Fu >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >> 6 != 0x2) return {1, 1};
        code = code << 6 | (byte & 0x3Fu);
    }
    return {bytes, within(kZeroWidth, code) ? 0 : within(kWide, code) ? 2 : 1};
}

std::string padded(const std::string& text, int width, Align align) {
    const std::string space(std::max(0, width - display_width(text)), ' ');
    return align == Align::left ? text + space : space + text;
}

std::string centred(const std::string& text, int width) {
    const int space = std::max(0, width - display_width(text));
    return std::string(space / 2, ' ') + text + std::string(space - space / 2, ' ');
}

void add_line(std::string& out, std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
    if (cells.size() != columns_.size()) throw std::logic_error("table: a row needs one cell a column");
    rows_.push_back(std::move(cells));
}

std::string Table::text() const {
    const std::size_t n = columns_.size();
    std::vector<int> widths(n);
    for (std::size_t c = 0; c < n; ++c) {
        widths[c] = std::max(display_width(columns_[c].header), display_width(columns_[c].unit));
        for (const auto& row : rows_) widths[c] = std::max(widths[c], display_width(row[c]));
    }
    // Columns [begin, end) of one group, widened to hold its heading.
    struct Span {
        std::size_t begin, end;
        int width;
    };
    std::vector<Span> spans;
    for (std::size_t c = 0; c < n;) {
        Span span{c, c + 1, widths[c]};
        while (span.end < n && !columns_[c].group.empty() && columns_[span.end].group == columns_[c].group)
            span.width += kGap + widths[span.end++];
        for (; span.width < display_width(columns_[c].group); ++span.width)
            ++widths[span.begin + span.width % (span.end - span.begin)];
        spans.push_back(span), c = span.end;
    }

    std::string out;
    const std::string gap(kGap, ' ');
    if (std::ranges::any_of(columns_, [](const Column& column) { return !column.group.empty(); })) {
        std::string headings, rules;
        for (const Span& span : spans) {
            const std::string& group = columns_[span.begin].group;
            headings += centred(group, span.width) + gap;
            rules += std::string(span.width, group.empty() ? ' ' : '-') + gap;
        }
        add_line(out, headings), add_line(out, rules);
    }
    const auto add_cells = [&](auto&& cell) {
        std::string line;
        for (std::size_t c = 0; c < n; ++c) line += padded(cell(c), widths[c], columns_[c].align) + gap;
        add_line(out, line);
    };
    add_cells([&](std::size_t c) { return columns_[c].header; });
    if (std::ranges::any_of(columns_, [](const Column& column) { return !column.unit.empty(); }))
        add_cells([&](std::size_t c) { return columns_[c].unit; });
    add_cells([&](std::size_t c) { return std::string(widths[c], '-'); });
    for (const auto& row : rows_) add_cells([&](std::size_t c) { return row[c]; });
    return out;
}

int display_width(std::string_view text) {
    int width = 0;
    while (!text.empty()) {
        const Character character = next_character(text);
        width += character.width;
        text.remove_prefix(character.bytes);
    }
    return width;
}

std::string clip(std::string_view text, int width) {
    if (display_width(text) <= width) return std::string(text);
    std::string kept;
    int used = 0;
    while (!text.empty()) {
        const Character character = next_character(text);
        if (used + character.width > width - 1) break;
        kept += text.substr(0, character.bytes), used += character.width;
        text.remove_prefix(character.bytes);
    }
    return kept + "…";
}

std::string fixed(double value, int decimals) {
    if (!std::isfinite(value)) return "-";
    char digits[512];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value, std::chars_format::fixed, decimals).ptr;
    return {digits, end};
}

std::string grouped(double value) {
    std::string digits = fixed(value, 0);
    const std::size_t first = digits.front() == '-' ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

std::string shortest(double value) {
    char digits[64];
    return {digits, std::to_chars(std::begin(digits), std::end(digits), value).ptr};
}

}  // namespace steepest::report
