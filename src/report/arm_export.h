#pragma once
// Arms as data for pictures and pages.
#include "core/json.h"
#include "report/arms.h"

#include <span>
#include <string>
#include <vector>

namespace steepest::report {

// Each arm's mean curve in the columns of curves_csv, then low and high: the 95 % interval over seeds, "nan" for one.
std::string arm_curves_csv(std::span<const RunRecord> runs, const Arms& arms);

// Columns arm, learning_rate, loss, low, high, diverged, runs; one row a point.
std::string learning_rates_csv(const Arms& arms);

// Half the 95 % interval over the point's seeds, one a row of mean_curve.
std::vector<double> half_widths(std::span<const RunRecord> runs, const ArmPoint& point, const Curve& mean);

struct PageOptions {
    std::size_t baseline = 0;  // an arm
    std::vector<double> targets;
    bool log_x = false, log_y = false;
    // Links to the runs are relative to this folder.
    std::string folder = ".";
};
// All that scripts/html_compare.py puts into its page: axes, arms with points and curves, runs with thinned curves, and
// the config keys that differ. Numbers as floats; null for what is not finite.
Json page_data(std::span<const RunRecord> runs, const Arms& arms, const PageOptions& options);
// Rows a curve of so many runs may have for the page to stay small.
std::size_t page_rows(std::size_t runs);

}  // namespace steepest::report
