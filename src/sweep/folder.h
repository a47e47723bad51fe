#pragma once
// A sweep's folder: NAME/{sweep.json, results.csv, times.csv, RUN/..., .sweep/}. What a run has come to is read from
// the disk alone, so that shards, restarts and a second process by mistake all see the same.
#include "report/run_record.h"
#include "sweep/halving.h"
#include "sweep/lock.h"

#include <filesystem>
#include <optional>

namespace steepest::sweep {

// `stopped` is halving's; `unfinished` is running, or waits to go on.
enum class State { waiting, unfinished, done, diverged, failed, skipped, stopped };
std::string_view state_name(State state);
// Whether there is nothing more to do for it; a failed run is tried again by the next call.
inline bool over(State state) { return state != State::waiting && state != State::unfinished; }

class Folder {
public:
    // Makes the folder with sweep.json in it. Where there is one already it may only grow: every run of the old plan is
    // in the new one, with the same options. Throws InputError otherwise.
    Folder(const SweepConfig& config, std::vector<PlannedRun> runs);
    // One that is there, to look at. Throws InputError if it is no sweep's.
    static Folder open(const std::string& path);
    // Whether open() would find a sweep.
    static bool is_sweep(const std::string& path);

    const std::string& path() const { return path_; }
    const std::vector<PlannedRun>& runs() const { return runs_; }
    const HalvingConfig& halving() const { return config_.halving; }
    std::string log_path(const PlannedRun& run) const { return path_ + "/" + run.name + "/log.jsonl"; }
    std::string lock_path(const PlannedRun& run) const { return inner(run.name + ".lock"); }
    std::string error_path(const PlannedRun& run) const { return inner(run.name + ".err"); }
    // Held, shared, by each process that has something to do.
    std::string work_lock_path() const { return inner("work.lock"); }
    // Whether sweep.json is still that of this plan: another process may have made the sweep grow.
    bool is_current() const;
    std::string results_lock_path() const { return inner("results.lock"); }

    State state(const PlannedRun& run) const { return state_of(run, standing(run)); }
    std::vector<State> states() const;
    Standing standing(const PlannedRun& run) const { return standings()[index(run)]; }
    std::vector<Standing> standings() const;
    // Whether it has its loss at a rung, or never will.
    bool at_rung(const PlannedRun& run, std::size_t rung) const { return rung_loss(run, rung).has_value(); }
    void set_failed(const PlannedRun& run, const std::string& why) const;
    void clear_failed(const PlannedRun& run) const;
    std::string failure(const PlannedRun& run) const;
    // Its log without training rows; null where there is none, or none that can be read.
    const report::RunRecord* record(const PlannedRun& run) const;

private:
    // A log as it was last read: again only when it has changed.
    struct Reading {
        std::uintmax_t size = 0;
        std::filesystem::file_time_type changed{};
        std::optional<report::RunRecord> record;
    };

    Folder(std::string path, SweepConfig config) : path_(std::move(path)), config_(std::move(config)) {}
    std::string sweep_path() const { return path_ + "/sweep.json"; }
    std::string plan_path() const { return inner("plan.json"); }
    std::string inner(const std::string& name) const { return path_ + "/.sweep/" + name; }
    std::size_t index(const PlannedRun& run) const { return static_cast<std::size_t>(&run - runs_.data()); }
    // Halving aside.
    State own_state(const PlannedRun& run) const;
    State state_of(const PlannedRun& run, const Standing& standing) const;
    // Whether the first seeds have decided that this run, of another seed, is not to be: see unit().
    bool passed_over(const PlannedRun& run) const;
    // Infinite where it has not finished with one.
    double final_loss(const PlannedRun& run) const;
    std::optional<double> rung_loss(const PlannedRun& run, std::size_t rung) const;

    void check_grown_from(const Folder& old) const;

    std::string path_, text_;  // text_: what this process wrote to sweep.json, or found there
    SweepConfig config_;
    std::vector<PlannedRun> runs_;
    mutable std::vector<Reading> readings_;
    mutable std::map<std::pair<std::size_t, std::size_t>, double> rung_losses_;  // they never change
};

}  // namespace steepest::sweep
