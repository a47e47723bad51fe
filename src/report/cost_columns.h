#pragma once
// The columns that the tables of runs and of arms share: what it takes to get to a loss, and what a step costs.
#include "report/align.h"
#include "report/table.h"

#include <optional>
#include <string>
#include <vector>

namespace steepest::report {

// NaN where the log does not say.
struct StepCost {
    double median_ms = kUnknown, optimizer_share = kUnknown, state_mib = kUnknown;
};
StepCost step_cost(const RunRecord& run);

// Steps, gradient evaluations and training seconds under the heading `to`, each with its ratio; then the cost of a
// step.
void add_cost_columns(std::vector<Column>& columns, const std::string& to);
// Where a curve and the baseline's get to the loss; ratios are the baseline's counts over the curve's.
void add_cost_cells(std::vector<std::string>& row, const std::optional<CurvePoint>& point,
                    const std::optional<CurvePoint>& baseline, const StepCost& cost);

}  // namespace steepest::report
