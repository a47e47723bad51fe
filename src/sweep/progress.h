#pragma once
// How far the runs of a sweep are, from its folder alone: for whoever runs it, and for whoever watches.
#include "report/table.h"
#include "sweep/folder.h"

namespace steepest::sweep {

struct RunProgress {
    std::string name;
    State state = State::waiting;
    bool running = false;  // some process has it
    std::int64_t step = 0, steps = 0;
    double loss = report::kUnknown;          // of the last training step, nats a token
    double validation = report::kUnknown;    // the last one
    double step_seconds = report::kUnknown;  // its own so far, evaluations and checkpoints included
    std::string note;                        // why it failed, or the rung at which it was stopped

    // Of its time, if it goes on like this; unknown where no step was made.
    double seconds_left() const { return step_seconds * static_cast<double>(steps - step); }
    std::string_view status() const { return running ? "running" : state_name(state); }
};

// Reads the ends of logs that have changed since the last call. `folder` must outlive it.
class ProgressReader {
public:
    explicit ProgressReader(const Folder& folder) : folder_(folder) {}
    // In order of the plan.
    std::vector<RunProgress> read();

private:
    struct Tail {
        std::uintmax_t size = 0;
        RunProgress values;
    };
    void read_tail(const PlannedRun& run, RunProgress& progress);

    const Folder& folder_;
    std::map<std::string, Tail> tails_;
};

// "3 waiting, 2 running, 5 done, 1 failed; about 0:12:30 left", at the pace of what runs and has run.
std::string summary(const std::vector<RunProgress>& runs);
// Rows in the order given.
report::Table table(const std::vector<RunProgress>& runs);
// Summary and table in at most so many lines: where not all rows fit, those that run go first, then what failed or
// diverged, what else has ended, and what waits; how many are left out is said.
std::string progress_text(const std::vector<RunProgress>& runs, int lines);

}  // namespace steepest::sweep
