#pragma once
// Runs a sweep: each run a child process of this program, so that a crash is its own, so many at a time. No run is
// started twice, by any number of processes in one folder; what is finished is left alone, what was stopped goes on
// from its last checkpoint.
#include "sweep/folder.h"

namespace steepest::sweep {

struct ExecutorOptions {
    std::string config;             // as `train` takes it
    int jobs = 1;                   // runs at a time
    int threads = 0;                // of each run; 0: what its config says
    std::vector<std::string> gpus;  // CUDA_VISIBLE_DEVICES of job 0, 1, ...; empty: left as it is
    int restarts = 3;               // of a run that a signal ended, without its getting any further, in this call
    Shard shard;
    SweepConfig::Unit unit = SweepConfig::Unit::run;  // see Shard::has
};

struct Tally {
    int done = 0, diverged = 0, failed = 0, skipped = 0, stopped = 0;
    int unfinished = 0;  // of another shard, or waits for one
};

// Returns when every run of the shard has ended, here or in another process, or waits for a shard that is not at work.
// Throws InterruptedError after Ctrl-C or
// SIGTERM, when the runs have written their checkpoints.
Tally execute(Folder& folder, const ExecutorOptions& options);

}  // namespace steepest::sweep
