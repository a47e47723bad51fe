#pragma once
// What `steepest compare` prints: the table of runs, the table of targets, the configs' differences.
#include "core/json.h"
#include "report/align.h"

#include <span>
#include <string>

namespace steepest::report {

// One row a run: final and best validation loss; steps, gradient evaluations and training seconds to the baseline's
// final loss, each with the baseline's count over the run's (above 1: fewer than the baseline); milliseconds a step,
// the optimizer's share of them, optimizer state, how the run ended. Where runs end at different places of `axis`, also
// the loss at the last place that all reach. Diverged runs have no say in that place.
std::string comparison_table(std::span<const RunRecord> runs, std::size_t baseline, Axis axis);

// A line for published curves that lack the same axes, saying which; empty where nothing is lacking.
std::string unknown_axes(std::span<const RunRecord> runs);

// One row a run, and under each target the steps, gradient evaluations and training seconds to it; "-": not reached.
std::string target_table(std::span<const RunRecord> runs, std::span<const double> targets);

// The keys whose values differ between the runs' configs, one a row: a column a run for a few runs, else the values
// with how many runs have each. At most `most_rows` of them, then a line that says how many were left out. Names,
// descriptions and paths do not count. What runs have alike of an object that others lack is one row, unless
// `every_key`. Empty where fewer than two runs have a config, or nothing differs.
std::string config_differences(std::span<const RunRecord> runs, std::size_t most_rows, bool every_key = false);

// The same keys as [{"key": ..., "values": [[value, how many runs], ...]}, ...], the commonest value first.
Json differences_json(std::span<const RunRecord> runs);

// "done", "diverged at 120", "interrupted at 200/400", "unfinished at 350/400", with skipped steps if there were any.
std::string status_text(const RunRecord& run);

}  // namespace steepest::report
