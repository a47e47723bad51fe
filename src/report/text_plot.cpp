#include "report/text_plot.h"

#include "report/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

namespace steepest::report {

namespace {

// Okabe and Ito's colours in the terminal's 256: told apart by colour-blind readers, legible on black and on white.
constexpr std::array kColours = {"\x1b[38;5;32m",  "\x1b[38;5;166m", "\x1b[38;5;36m",
                                 "\x1b[38;5;175m", "\x1b[38;5;178m", "\x1b[38;5;74m"};
constexpr const char* kReset = "\x1b[0m";
constexpr int kLabelWidth = 24;

// Dots of a braille cell, bit numbers by row and column (Unicode 15, chapter 21.1).
constexpr int kDots[4][2] = {{0, 3}, {1, 4}, {2, 5}, {6, 7}};

std::string braille(unsigned dots) {
    return {static_cast<char>(0xE2), static_cast<char>(0xA0 | dots >> 6), static_cast<char>(0x80 | (dots & 0x3F))};
}

// Dots on a grid of cells; a cell shows the curve that was drawn last there.
class Canvas {
public:
    Canvas(int columns, int rows, int dots_across, int dots_down)
        : columns_(columns), rows_(rows), across_(dots_across), down_(dots_down), cells_(columns * rows) {}

    int width() const { return columns_ * across_; }
    int height() const { return rows_ * down_; }

    void dot(int x, int y, int series) {
        if (x < 0 || y < 0 || x >= width() || y >= height()) return;
        Cell& cell = cells_[y / down_ * columns_ + x / across_];
        if (down_ == 4) cell.dots |= 1u << kDots[y % 4][x % 2];
        cell.series = series;
    }
    // Every dot between two places; ends outside the grid are fine.
    void line(double x0, double y0, double x1, double y1, int series) {
        const int steps = std::max(1, static_cast<int>(std::ceil(std::max(std::abs(x1 - x0), std::abs(y1 - y0)))));
        for (int i = 0; i <= steps; ++i)
            dot(static_cast<int>(std::lround(x0 + (x1 - x0) * i / steps)),
                static_cast<int>(std::lround(y0 + (y1 - y0) * i / steps)), series);
    }
    // One row of cells as text.
    std::string row(int y, bool colour) const {
        std::string out;
        int current = -1;
        for (int x = 0; x < columns_; ++x) {
            const Cell& cell = cells_[y * columns_ + x];
            if (colour && cell.series != current && cell.series >= 0) {
                out += kColours[cell.series % kColours.size()];
                current = cell.series;
            }
            out += cell.series < 0 ? " " : cell.dots ? braille(cell.dots) : std::string(1, letter(cell.series));
        }
        return current >= 0 ? out + kReset : out;
    }
    static char letter(int series) { return static_cast<char>('a' + series % 26); }

private:
    struct Cell {
        unsigned dots = 0;
        int series = -1;
    };
    int columns_, rows_, across_, down_;
    std::vector<Cell> cells_;
};

// 1500000 -> "1.5M"; axes have no room for more.
std::string compact(double value, int decimals) {
    constexpr std::pair<double, const char*> kUnits[] = {{1e18, "E"}, {1e15, "P"}, {1e12, "T"},
                                                         {1e9, "G"},  {1e6, "M"},  {1e4, "k"}};
    for (const auto& [size, letter] : kUnits) {
        if (std::abs(value) < size) continue;
        std::string text = fixed(value / (size == 1e4 ? 1e3 : size), 2);
        text.erase(text.find_last_not_of('0') + 1);
        if (text.back() == '.') text.pop_back();
        return text + letter;
    }
    return fixed(value, decimals);
}

Limits x_limits(std::span<const TextSeries> series) {
    Limits limits{INFINITY, -INFINITY};
    for (const TextSeries& s : series)
        for (const double x : s.line.x)
            if (std::isfinite(x)) limits = {std::min(limits.low, x), std::max(limits.high, x)};
    if (!(limits.high >= limits.low)) return {0, 1};
    if (limits.high == limits.low) limits.high += 1;
    return limits;
}

// Rows for labels of curves that end at `wanted` (in order from the top): near it, and each its own.
std::vector<int> spread(const std::vector<double>& wanted, int rows) {
    const int n = static_cast<int>(wanted.size());
    std::vector<int> at(n);
    for (int i = 0; i < n; ++i) {
        const int row = std::clamp(static_cast<int>(std::lround(wanted[i])), 0, rows - 1);
        at[i] = i == 0 ? row : std::max(row, at[i - 1] + 1);
    }
    for (int i = n - 1, last = rows - 1; i >= 0; --i) last = (at[i] = std::min(at[i], last)) - 1;
    return at;
}

struct Frame {
    Limits x, y;
    const Canvas& canvas;
    double column(double value) const { return (value - x.low) / (x.high - x.low) * (canvas.width() - 1); }
    double row(double value) const { return (y.high - value) / (y.high - y.low) * (canvas.height() - 1); }
};

void draw(const Line& line, int index, const Frame& frame, Canvas& canvas) {
    for (std::size_t i = 0; i < line.x.size(); ++i) {
        if (!std::isfinite(line.x[i]) || !std::isfinite(line.y[i])) continue;
        const std::size_t from = i > 0 && std::isfinite(line.x[i - 1]) && std::isfinite(line.y[i - 1]) ? i - 1 : i;
        canvas.line(frame.column(line.x[from]), frame.row(line.y[from]), frame.column(line.x[i]), frame.row(line.y[i]),
                    index);
    }
}

double last_finite(const Line& line) {
    for (std::size_t i = line.y.size(); i-- > 0;)
        if (std::isfinite(line.y[i])) return line.y[i];
    return NAN;
}

// What stands right of each row: the labels of the curves, at the height of their ends.
std::vector<std::string> labels_by_row(std::span<const TextSeries> series, const Frame& frame, int rows, int width,
                                       const TextPlotStyle& style) {
    std::vector<int> order;
    for (int s = 0; s < static_cast<int>(series.size()); ++s)
        if (std::isfinite(last_finite(series[s].line))) order.push_back(s);
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](int s) { return last_finite(series[s].line); });
    // The lowest losses are what one looks for: where there are more curves than rows, the others go unnamed.
    if (static_cast<int>(order.size()) > rows) order.erase(order.begin(), order.end() - rows);
    std::vector<double> wanted;
    for (const int s : order)
        wanted.push_back(frame.row(last_finite(series[s].line)) / frame.canvas.height() * rows - 0.5);
    const std::vector<int> at = spread(wanted, rows);
    std::vector<std::string> text(rows);
    for (std::size_t i = 0; i < order.size(); ++i) {
        const int s = order[i];
        const std::string name = clip(series[s].label, width);
        text[at[i]] = style.colour    ? kColours[s % kColours.size()] + name + kReset
                      : style.braille ? name
                                      : std::string(1, Canvas::letter(s)) + " " + clip(series[s].label, width - 2);
    }
    return text;
}

// The axis line with a mark a tick, and the numbers under it.
std::string x_axis(const Frame& frame, int margin, int columns, const TextPlotStyle& style) {
    const std::string corner = style.braille ? "└" : "+", rule = style.braille ? "─" : "-";
    const std::string mark = style.braille ? "┴" : "+";
    const std::vector<double> at = ticks(frame.x, std::max(2, columns / 12));
    const int decimals = tick_decimals(at);
    std::vector<bool> marked(columns, false);
    std::string numbers(margin + 1 + columns + 8, ' ');
    int free_from = 0;
    for (const double tick : at) {
        const int column =
            static_cast<int>(std::lround(frame.column(tick) * (columns - 1) / (frame.canvas.width() - 1)));
        if (column < 0 || column >= columns) continue;
        marked[column] = true;
        const std::string text = compact(tick, decimals);
        const int size = static_cast<int>(text.size());
        const int begin = std::max(0, margin + 1 + column - size / 2);
        if (begin < free_from || begin + size > static_cast<int>(numbers.size())) continue;
        numbers.replace(begin, size, text), free_from = begin + size + 1;
    }
    std::string line = std::string(margin, ' ') + corner;
    for (const bool m : marked) line += m ? mark : rule;
    numbers.erase(numbers.find_last_not_of(' ') + 1);
    const int indent = margin + 1 + std::max(0, (columns - display_width(style.x_label)) / 2);
    return line + '\n' + numbers + '\n' + std::string(indent, ' ') + style.x_label + '\n';
}

}  // namespace

std::string text_plot(std::span<const TextSeries> series, const TextPlotStyle& style) {
    int label_width = 0;
    for (const TextSeries& s : series) label_width = std::max(label_width, display_width(s.label) + 2);
    label_width = std::min(label_width, kLabelWidth);

    std::vector<Line> lines;
    for (const TextSeries& s : series) lines.push_back(s.line);
    const Limits y = loss_limits(lines);
    const int rows = std::max(8, style.height) - 4;
    const std::vector<double> y_ticks = ticks(y, std::max(2, rows / 3));
    const int decimals = tick_decimals(y_ticks);
    int margin = 0;
    for (const double tick : y_ticks) margin = std::max(margin, 1 + static_cast<int>(fixed(tick, decimals).size()));

    const int columns = std::max(40, style.width) - margin - 1 - 1 - label_width;
    Canvas canvas(columns, rows, style.braille ? 2 : 1, style.braille ? 4 : 1);
    const Frame frame{x_limits(series), y, canvas};
    for (std::size_t s = 0; s < series.size(); ++s) draw(series[s].line, static_cast<int>(s), frame, canvas);

    std::vector<std::string> numbers(rows);
    for (const double tick : y_ticks) {
        const int row = static_cast<int>(std::lround(frame.row(tick) * (rows - 1) / (canvas.height() - 1)));
        if (row >= 0 && row < rows) numbers[row] = fixed(tick, decimals);
    }
    const std::vector<std::string> labels = labels_by_row(series, frame, rows, label_width, style);
    std::string out = std::string(margin - 1 > 0 ? 1 : 0, ' ') + style.y_label + '\n';
    for (int r = 0; r < rows; ++r) {
        const std::string& number = numbers[r];
        const std::string rule = style.braille ? (number.empty() ? "│" : "┤") : (number.empty() ? "|" : "+");
        std::string line = std::string(margin - 1 - number.size(), ' ') + number + " " + rule +
                           canvas.row(r, style.colour) + " " + labels[r];
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    return out + x_axis(frame, margin, columns, style);
}

}  // namespace steepest::report
