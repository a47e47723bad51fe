#pragma once
// Aligned plain-text tables for terminals and pipes.
#include <string>
#include <string_view>
#include <vector>

namespace steepest::report {

enum class Align { left, right };

struct Column {
    std::string header;
    std::string unit = {};  // under the header; a table without any unit has no such line
    Align align = Align::right;
    std::string group = {};  // neighbours of one group stand under a common heading
};

// Columns as wide as their widest cell, two spaces between, no trailing spaces.
class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // Throws std::logic_error unless there is a cell a column.
    void add(std::vector<std::string> cells);
    bool empty() const { return rows_.empty(); }
    // Lines, the last one ended: headings, headers, units, a rule, rows.
    std::string text() const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// Terminal cells a UTF-8 text takes: combining marks none, East Asian wide characters and emoji two, each invalid byte
// one.
int display_width(std::string_view text);
// At most `width` cells, the last one an ellipsis where something was cut.
std::string clip(std::string_view text, int width);

// A number with so many decimals, or "-" for what is not finite.
std::string fixed(double value, int decimals);
// 1536 -> "1,536"; "-" for what is not finite.
std::string grouped(double value);
// The shortest decimal that reads back as the same number; "nan", "inf", "-inf".
std::string shortest(double value);

}  // namespace steepest::report
