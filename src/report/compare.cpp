#include "report/compare.h"

#include "report/table.h"
#include "report/text.h"

#include <cmath>

namespace steepest::report {

namespace {

std::string loss_text(double loss, bool evaluated) {
    return std::isfinite(loss) ? fixed(loss, kLossDecimals) : evaluated ? "not finite" : "-";
}

}  // namespace

std::string status_text(const RunRecord& run) {
    const std::string at = " at " + std::to_string(run.last_step);
    const std::string of = run.start.steps > 0 ? "/" + std::to_string(run.start.steps) : "";
    std::string text;
    switch (run.status) {
        case RunStatus::done:
            text = "done";
            break;
        case RunStatus::diverged:
            text = "diverged" + at;
            break;
        case RunStatus::interrupted:
            text = "interrupted" + at + of;
            break;
        case RunStatus::unfinished:
            text = "unfinished" + at + of;
            break;
    }
    if (run.skipped_steps > 0) text += ", " + std::to_string(run.skipped_steps) + " skipped";
    return text;
}

std::string comparison_table(std::span<const RunRecord> runs, std::size_t baseline, Axis axis) {
    const double target = runs[baseline].final_loss();
    const CommonEnd end = common_end(runs, axis);
    const std::string losses = "validation loss", nats = "nats/token";
    const std::string to = std::isfinite(target)
                               ? "to the final loss of " + runs[baseline].name + ", " + fixed(target, kLossDecimals)
                               : runs[baseline].name + " has no finite final loss";
    const std::string cost = "cost of a step";

    std::vector<Column> columns = {{.header = "run", .align = Align::left},
                                   {.header = "optimizer", .align = Align::left},
                                   {.header = "final", .unit = nats, .group = losses},
                                   {.header = "best", .unit = nats, .group = losses}};
    if (end.ends_differ) columns.push_back({.header = "at " + axis_text(axis, end.x), .unit = nats, .group = losses});
    for (const char* count : {"steps", "gradients", "seconds"}) {
        columns.push_back({.header = count, .group = to});
        columns.push_back({.header = "ratio", .group = to});
    }
    columns.push_back({.header = "median", .unit = "ms", .group = cost});
    columns.push_back({.header = "optimizer", .unit = "%", .group = cost});
    columns.push_back({.header = "state", .unit = "MiB"});
    columns.push_back({.header = "status", .align = Align::left});
    Table table(std::move(columns));

    const auto reference = first_crossing(runs[baseline].eval, target);
    for (const RunRecord& run : runs) {
        std::vector<std::string> row = {run.name, run.optimizer(), loss_text(run.final_loss(), !run.eval.empty()),
                                        fixed(run.best_loss(), kLossDecimals)};
        if (end.ends_differ) row.push_back(fixed(loss_at(run.eval, axis, end.x), kLossDecimals));
        if (const auto point = first_crossing(run.eval, target)) {
            row.insert(row.end(), {fixed(point->step, 0), ratio_text(reference->step, point->step),
                                   fixed(point->gradients, 0), ratio_text(reference->gradients, point->gradients),
                                   seconds_text(point->seconds), ratio_text(reference->seconds, point->seconds)});
        } else {
            row.insert(row.end(), 6, "-");
        }
        const double state =
            run.start.optimizer_state_bytes < 0 ? kUnknown : run.start.optimizer_state_bytes / 1048576.0;
        row.insert(row.end(), {fixed(run.step_ms_median, 1), fixed(100 * run.optimizer_share, 1), fixed(state, 1),
                               status_text(run)});
        table.add(std::move(row));
    }
    return table.text();
}

std::string target_table(std::span<const RunRecord> runs, std::span<const double> targets) {
    std::vector<Column> columns = {{.header = "run", .align = Align::left}};
    for (const double target : targets)
        for (const char* count : {"steps", "gradients", "seconds"})
            columns.push_back({.header = count, .group = "to loss " + shortest(target)});
    Table table(std::move(columns));
    for (const RunRecord& run : runs) {
        std::vector<std::string> row = {run.name};
        for (const double target : targets) {
            if (const auto point = first_crossing(run.eval, target))
                row.insert(row.end(),
                           {fixed(point->step, 0), fixed(point->gradients, 0), seconds_text(point->seconds)});
            else
                row.insert(row.end(), 3, "-");
        }
        table.add(std::move(row));
    }
    return table.text();
}

}  // namespace steepest::report
