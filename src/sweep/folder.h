#pragma once
// A sweep's folder: NAME/{sweep.json, results.csv, times.csv, RUN/..., .sweep/}. What a run has come to is read from
// the disk alone, so that shards, restarts and a second process by mistake all see the same.
#include "sweep/plan.h"

#include <optional>

namespace steepest::sweep {

enum class State { waiting, unfinished, done, diverged, failed, skipped };
std::string_view state_name(State state);
inline bool finished(State state) { return state == State::done || state == State::diverged; }

// Held by one process at a time, and by the run that it starts: the system frees it when both have ended, however.
class Lock {
public:
    // None if another holds it, unless `wait`. Throws StorageError.
    static std::optional<Lock> take(const std::string& path, bool wait = false);
    Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Lock& operator=(Lock&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Lock();
    int descriptor() const { return descriptor_; }

private:
    explicit Lock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

class Folder {
public:
    // Makes the folder with sweep.json in it. Throws InputError if there is one already that says something else.
    Folder(const SweepConfig& config, std::vector<PlannedRun> runs);

    const std::string& path() const { return path_; }
    const std::vector<PlannedRun>& runs() const { return runs_; }
    std::string lock_path(const PlannedRun& run) const { return inner(run, ".lock"); }
    std::string error_path(const PlannedRun& run) const { return inner(run, ".err"); }
    State state(const PlannedRun& run) const;
    // The last step in its log; 0 where there is none.
    std::int64_t last_step(const PlannedRun& run) const;
    void set_failed(const PlannedRun& run, const std::string& why) const;
    void clear_failed(const PlannedRun& run) const;
    std::string failure(const PlannedRun& run) const;

    // results.csv: a row a run in the order of the plan; nothing in it depends on the clock or on the order of
    // execution. times.csv: what does. One process at a time, each whole or not at all.
    void write_results();

private:
    struct Row {
        std::string results, times;
        bool finished;
    };
    std::string inner(const PlannedRun& run, const char* suffix) const {
        return path_ + "/.sweep/" + run.name + suffix;
    }
    Row row(const PlannedRun& run) const;

    std::string path_;
    bool stop_diverged_;
    std::vector<PlannedRun> runs_;
    std::vector<std::string> columns_;  // the options that vary
    std::map<std::string, Row> finished_;
};

}  // namespace steepest::sweep
