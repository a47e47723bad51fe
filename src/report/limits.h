#pragma once
// Limits and ticks of an axis that show what matters.
#include <span>
#include <vector>

namespace steepest::report {

// One curve to draw: x not decreasing; y may hold what is not finite.
struct Line {
    std::vector<double> x, y;
};

struct Limits {
    double low, high;
};

// From the least loss to the largest after the first tenth of the x axis, a little wider: the first evaluations of a
// language model are so high that they would press all that differs into the lowest rows. Everything is shown where
// that costs little: where the full range is under 1.5 times the range chosen.
Limits loss_limits(std::span<const Line> lines);

// About `count` round numbers (1, 2 or 5 times a power of ten apart) within the limits.
std::vector<double> ticks(Limits limits, int count);
// Decimals that tell neighbouring ticks apart.
int tick_decimals(std::span<const double> at);

}  // namespace steepest::report
