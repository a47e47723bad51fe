#include "report/cost_columns.h"

#include "report/text.h"

namespace steepest::report {

StepCost step_cost(const RunRecord& run) {
    const std::int64_t bytes = run.start.optimizer_state_bytes;
    return {.median_ms = run.step_ms_median,
            .optimizer_share = run.optimizer_share,
            .state_mib = bytes < 0 ? kUnknown : static_cast<double>(bytes) / (1 << 20)};
}

void add_cost_columns(std::vector<Column>& columns, const std::string& to) {
    for (const char* count : {"steps", "gradients", "seconds"}) {
        columns.push_back({.header = count, .group = to});
        columns.push_back({.header = "ratio", .group = to});
    }
    const std::string cost = "cost of a step";
    columns.push_back({.header = "median", .unit = "ms", .group = cost});
    columns.push_back({.header = "optimizer", .unit = "%", .group = cost});
    columns.push_back({.header = "state", .unit = "MiB"});
}

void add_cost_cells(std::vector<std::string>& row, const std::optional<CurvePoint>& point,
                    const std::optional<CurvePoint>& baseline, const StepCost& cost) {
    if (point && baseline)
        row.insert(row.end(), {fixed(point->step, 0), ratio_text(baseline->step, point->step),
                               fixed(point->gradients, 0), ratio_text(baseline->gradients, point->gradients),
                               seconds_text(point->seconds), ratio_text(baseline->seconds, point->seconds)});
    else
        row.insert(row.end(), 6, "-");
    row.insert(row.end(), {fixed(cost.median_ms, 1), fixed(100 * cost.optimizer_share, 1), fixed(cost.state_mib, 1)});
}

}  // namespace steepest::report
