#pragma once
// A run read back from its directory: its curves as columns, what it was, and how it ended.
#include "report/log_line.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace steepest::report {

// Columns of one length, rows in order of step, each step once.
struct Curve {
    std::vector<std::int64_t> step;
    // Totals; gradients counts evaluations of the full batch. NaN where a published curve does not say.
    std::vector<double> tokens, gradients;
    std::vector<double> flops;    // total, the optimizer's included
    std::vector<double> seconds;  // training time, evaluation excluded; NaN where not logged
    std::vector<double> wall;     // seconds since the start; NaN where not logged
    std::vector<double> loss;     // nats a token; NaN where it was not finite

    std::size_t size() const { return step.size(); }
    bool empty() const { return step.empty(); }
    // Replaces the last row where it has the same step.
    void add(const LogLine& line);
};

// A log cannot tell a live run from a killed one: both merely have no end.
enum class RunStatus { unfinished, done, diverged, interrupted, published };

struct RunRecord {
    std::string name;      // of the run's folder; for a lone log file, its stem
    std::string log_path;  // for error texts
    LogLine::Start start;
    Curve train;
    Curve eval;                         // of the validation split
    double step_ms_median = kUnknown;   // over all logged steps; NaN where the log does not say
    double optimizer_share = kUnknown;  // optimizer time of all steps over time of all steps, in [0, 1]
    RunStatus status = RunStatus::unfinished;
    std::int64_t last_step = 0;
    std::int64_t skipped_steps = 0;
    int resumes = 0;
    bool partial_last_line = false;  // dropped: the run is writing it, or died doing so
    // The resolved config, flattened in its order: JSON pointer -> value as JSON. Empty where there is no config.json.
    std::vector<std::pair<std::string, std::string>> config;

    // Whether its optimizer's rule or numbers were pieced together, by the preset's own "evidence".
    bool reconstruction() const;
    std::string optimizer() const { return start.optimizer.empty() ? "-" : start.optimizer; }
    // All NaN where the log does not say.
    double final_loss() const;  // of the last evaluation, not finite if that was not
    double best_loss() const;   // least finite one
};

struct ReadOptions {
    // Training rows kept a run: all of them, none, or so many with the extremes among them (see thinned.h). The rest of
    // the record is the same.
    std::size_t most_train_rows = std::numeric_limits<std::size_t>::max();
    // Files read at once.
    int threads = 1;
    // Of published curves that do not say their tokens (published.h); NaN: they stay unknown.
    double tokens_per_step = kUnknown;
};

// `path` is a run directory or a log file. Throws InputError that names the file, and the line where there is one, for
// what is missing, empty, broken before its last line, or no run log.
RunRecord read_run(const std::string& path, const ReadOptions& options = {});

// `path` itself if it is a run directory or a file, else every run directory below it, by name and the numbers in it: a
// sweep.
std::vector<std::string> find_runs(const std::string& path);

// Several at once, folders of runs and published curves (published.h) too; FILE#PATTERN takes of a file with several
// curves those whose names the shell pattern matches. A run named twice is read once; runs of one name in different
// places are named by their paths.
std::vector<RunRecord> read_runs(const std::vector<std::string>& paths, const ReadOptions& options = {});

}  // namespace steepest::report
