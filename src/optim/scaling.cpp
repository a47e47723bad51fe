#include "optim/scaling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace steepest {

namespace {

struct Formula {
    std::string_view name;
    double (*factor)(double rows, double cols);
};

constexpr std::string_view kNone = "none";
const std::array<Formula, 4> kFormulas{{
    {kNone, [](double, double) { return 1.0; }},
    {"sqrt(max(1, rows/cols))", [](double rows, double cols) { return std::sqrt(std::max(1.0, rows / cols)); }},
    {"0.2*sqrt(max(rows, cols))", [](double rows, double cols) { return 0.2 * std::sqrt(std::max(rows, cols)); }},
    {"sqrt(rows/cols)", [](double rows, double cols) { return std::sqrt(rows / cols); }},
}};

}  // namespace

std::vector<std::string> scaling_formulas() {
    std::vector<std::string> names;
    for (const Formula& f : kFormulas) names.emplace_back(f.name);
    return names;
}

bool scaling_needs_matrices(std::string_view formula) { return formula != kNone; }

double scaling_factor(std::string_view formula, const Shape& shape) {
    for (const Formula& f : kFormulas)
        if (f.name == formula) return f.factor(static_cast<double>(shape.rows()), static_cast<double>(shape.cols()));
    throw std::logic_error("no scaling is called \"" + std::string(formula) + "\"");
}

}  // namespace steepest
