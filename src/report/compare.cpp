#include "report/compare.h"

#include "report/cost_columns.h"
#include "report/table.h"
#include "report/text.h"

#include <algorithm>
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
        case RunStatus::published:
            text = "published";
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

    std::vector<Column> columns = {{.header = "run", .align = Align::left},
                                   {.header = "optimizer", .align = Align::left},
                                   {.header = "final", .unit = nats, .group = losses},
                                   {.header = "best", .unit = nats, .group = losses}};
    if (end.ends_differ) columns.push_back({.header = "at " + axis_text(axis, end.x), .unit = nats, .group = losses});
    add_cost_columns(columns, to);
    columns.push_back({.header = "status", .align = Align::left});
    Table table(std::move(columns));

    const auto reference = first_crossing(runs[baseline].eval, target);
    for (const RunRecord& run : runs) {
        std::vector<std::string> row = {run.name, labelled(run.optimizer(), run.reconstruction()),
                                        loss_text(run.final_loss(), !run.eval.empty()),
                                        fixed(run.best_loss(), kLossDecimals)};
        if (end.ends_differ) row.push_back(fixed(loss_at(run.eval, axis, end.x), kLossDecimals));
        add_cost_cells(row, first_crossing(run.eval, target), reference, step_cost(run));
        row.push_back(status_text(run));
        table.add(std::move(row));
    }
    return table.text();
}

std::string unknown_axes(std::span<const RunRecord> runs) {
    // What is not known -> of whom, in order of appearance.
    std::vector<std::pair<std::string, std::vector<std::string>>> by_axes;
    for (const RunRecord& run : runs) {
        if (run.status != RunStatus::published) continue;
        const Curve& curve = run.eval.empty() ? run.train : run.eval;
        std::string axes;
        for (const Axis axis : {Axis::tokens, Axis::gradients, Axis::seconds, Axis::flops})
            if (!curve.empty() && !std::isfinite(value(curve, axis, curve.size() - 1)))
                axes += (axes.empty() ? "" : ", ") + std::string(name_of(axis));
        if (axes.empty()) continue;
        auto known = std::ranges::find(by_axes, axes, &std::pair<std::string, std::vector<std::string>>::first);
        if (known == by_axes.end()) known = by_axes.insert(known, {axes, {}});
        known->second.push_back(run.name);
    }
    std::string text;
    for (const auto& [axes, names] : by_axes) {
        const std::string others = names.size() > 1 ? " and " + std::to_string(names.size() - 1) + " more" : "";
        text += "published " + names.front() + others + ": losses taken as nats a token; " + axes + " not known\n";
    }
    return text;
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
