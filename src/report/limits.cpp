#include "report/limits.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace steepest::report {

namespace {

constexpr double kWarmUp = 0.1;
constexpr double kWorthShowing = 1.5;
constexpr double kMargin = 0.04;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Limits range_from(std::span<const Line> lines, double x) {
    Limits range{kInfinity, -kInfinity};
    for (const Line& line : lines)
        for (std::size_t i = 0; i < line.x.size(); ++i)
            if (line.x[i] >= x && std::isfinite(line.y[i]))
                range = {std::min(range.low, line.y[i]), std::max(range.high, line.y[i])};
    return range;
}

}  // namespace

Limits loss_limits(std::span<const Line> lines) {
    double first = kInfinity, last = -kInfinity;
    for (const Line& line : lines)
        for (const double x : line.x) first = std::min(first, x), last = std::max(last, x);
    const Limits all = range_from(lines, -kInfinity);
    if (!(all.high >= all.low)) return {0, 1};
    Limits late = range_from(lines, first + kWarmUp * (last - first));
    if (!(late.high > late.low) || all.high - all.low < kWorthShowing * (late.high - late.low)) late = all;
    late.low = all.low;
    const double margin = late.high > late.low ? kMargin * (late.high - late.low) : 0.5;
    return {late.low - margin, late.high + margin};
}

std::vector<double> ticks(Limits limits, int count) {
    const double rough = (limits.high - limits.low) / std::max(1, count);
    if (!(rough > 0) || !std::isfinite(rough)) return {limits.low};
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
    std::vector<double> at;
    for (double i = std::ceil(limits.low / step - 1e-9); i * step <= limits.high + 1e-9 * step; ++i)
        at.push_back(i * step + 0.0);
    return at;
}

int tick_decimals(std::span<const double> at) {
    if (at.size() < 2) return 2;
    return std::max(0, static_cast<int>(-std::floor(std::log10(at[1] - at[0]) + 1e-9)));
}

}  // namespace steepest::report
