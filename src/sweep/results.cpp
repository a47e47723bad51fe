#include "sweep/results.h"

#include "core/file.h"
#include "report/csv.h"
#include "report/table.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace steepest::sweep {

namespace {

using report::shortest;

std::string line(const std::vector<std::string>& cells) {
    std::string text;
    for (const std::string& cell : cells) text += (text.empty() ? "" : ",") + report::quoted(cell);
    return text + "\n";
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// The options that vary.
std::vector<std::string> options_of(const std::vector<PlannedRun>& runs) {
    std::set<std::string> options;
    for (const PlannedRun& run : runs)
        for (const auto& [path, value] : run.varied) options.insert(path);
    return {options.begin(), options.end()};
}

// steps, tokens, gradients, flops, final and best loss: up to the last evaluation at or before `end`.
std::vector<std::string> totals(const report::Curve& eval, std::int64_t steps, std::int64_t end) {
    const auto rows = static_cast<std::size_t>(std::ranges::upper_bound(eval.step, end) - eval.step.begin());
    if (rows == 0) return {std::to_string(steps), "0", "0", "0", "nan", "nan"};
    double best = report::kUnknown;
    for (std::size_t i = 0; i < rows; ++i)
        if (std::isfinite(eval.loss[i]) && !(eval.loss[i] >= best)) best = eval.loss[i];
    const std::size_t last = rows - 1;
    return {std::to_string(steps),      shortest(eval.tokens[last]), shortest(eval.gradients[last]),
            shortest(eval.flops[last]), shortest(eval.loss[last]),   shortest(best)};
}

std::vector<std::string> totals_of(const Folder& folder, const PlannedRun& run, State state, const Standing& standing) {
    if (state != State::done && state != State::diverged && state != State::stopped) return {"", "", "", "", "", ""};
    const report::RunRecord& log = *folder.record(run);
    // What it did after a rung that it lost does not count: another order of events would not have let it.
    if (state == State::stopped) return totals(log.eval, run.rungs[standing.rung], run.rungs[standing.rung]);
    return totals(log.eval, log.last_step, log.last_step);
}

std::string times_of(const Folder& folder, const PlannedRun& run, State state) {
    if (state != State::done && state != State::diverged && state != State::stopped) return line({run.name, "", ""});
    const report::RunRecord& log = *folder.record(run);
    return line({run.name, shortest(log.eval.seconds.empty() ? report::kUnknown : log.eval.seconds.back()),
                 shortest(log.step_ms_median)});
}

}  // namespace

void write_results(const Folder& folder) {
    // Read and written under one lock: of two shards that end together, the second has seen the first.
    const std::optional<Lock> lock = Lock::take(folder.results_lock_path(), true);
    if (!folder.is_current()) return;  // the results of a plan that has grown are for whoever made it grow
    const bool halving = !folder.halving().rungs.empty();
    const std::vector<std::string> options = options_of(folder.runs());
    std::vector<std::string> header{"run", "arm"};
    header.insert(header.end(), options.begin(), options.end());
    header.insert(header.end(), {"seed", "status"});
    if (halving) header.emplace_back("stopped_at_rung");
    header.insert(header.end(), {"steps", "tokens", "gradients", "flops", "final_loss", "best_loss", "error"});

    std::string results = line(header), times = line({"run", "seconds", "step_ms_median"});
    const std::vector<Standing> standings = folder.standings();
    const std::vector<State> states = folder.states();
    for (std::size_t i = 0; i < folder.runs().size(); ++i) {
        const PlannedRun& run = folder.runs()[i];
        std::vector<std::string> cells{run.name, run.arm};
        for (const std::string& option : options)
            cells.push_back(run.varied.contains(option) ? text_of(run.varied.at(option)) : "");
        cells.insert(cells.end(), {std::to_string(run.seed), std::string(state_name(states[i]))});
        if (halving) cells.push_back(states[i] == State::stopped ? std::to_string(standings[i].rung + 1) : "");
        for (std::string& total : totals_of(folder, run, states[i], standings[i])) cells.push_back(std::move(total));
        cells.push_back(states[i] == State::failed ? folder.failure(run) : "");
        results += line(cells);
        times += times_of(folder, run, states[i]);
    }
    write_file(folder.path() + "/results.csv", results);
    write_file(folder.path() + "/times.csv", times);
}

}  // namespace steepest::sweep
