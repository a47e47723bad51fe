#include "optim/scaling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace steepest {

namespace {

struct Formula {
    std::string_view name;
    bool of_matrices;
    double (*factor)(double rows, double cols);
};

const std::array<Formula, 7> kFormulas{{
    {"none", false, [](double, double) { return 1.0; }},
    {"sqrt(max(1, rows/cols))", true, [](double rows, double cols) { return std::sqrt(std::max(1.0, rows / cols)); }},
    {"0.2*sqrt(max(rows, cols))", true, [](double rows, double cols) { return 0.2 * std::sqrt(std::max(rows, cols)); }},
    {"sqrt(rows/cols)", true, [](double rows, double cols) { return std::sqrt(rows / cols); }},
    {"sqrt(cols)", true, [](double, double cols) { return std::sqrt(cols); }},
    {"1/cols", true, [](double, double cols) { return 1 / cols; }},
    {"sqrt(rows*cols)", false, [](double rows, double cols) { return std::sqrt(rows * cols); }},
}};

const Formula& find(std::string_view name) {
    for (const Formula& f : kFormulas)
        if (f.name == name) return f;
    throw std::logic_error("no scaling is called \"" + std::string(name) + "\"");
}

}  // namespace

std::vector<std::string> scaling_formulas() {
    std::vector<std::string> names;
    for (const Formula& f : kFormulas) names.emplace_back(f.name);
    return names;
}

bool scaling_needs_matrices(std::string_view formula) { return find(formula).of_matrices; }

double scaling_factor(std::string_view formula, const Shape& shape) {
    return find(formula).factor(static_cast<double>(shape.rows()), static_cast<double>(shape.cols()));
}

}  // namespace steepest
