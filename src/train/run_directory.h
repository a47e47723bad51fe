#pragma once
// The folder of one run: its name, who may write it, and where its files are.
//
//     runs/NAME/{config.json, manifest.json, log.jsonl, train.log, checkpoints/}, and TensorBoard's event file if asked
#include "core/json.h"

#include <cstdint>
#include <optional>
#include <string>

namespace steepest {

struct RunRequest {
    std::string runs = "runs";  // the root, made if it is not there
    std::string name;           // empty: stem of the config and seed, e.g. nano-adamw-s1
    std::string config_path;
    std::uint64_t seed = 0;
    bool resume = false, overwrite = false;
};

// The run's path, without touching the disk but to look. A config that is another run's own config.json makes a replay:
// RUN-replay-1 beside it, or the next number that is free, unless `name` is another one's; with `resume` it means RUN
// itself. Throws InputError for a name that is no file name.
std::string run_path(const RunRequest& request);

// Whether a folder has config.json or log.jsonl.
bool looks_like_run(const std::string& path);

// Whether the process that wrote the run last is still there. Nothing where it ran on another machine, or where none is
// known.
std::optional<bool> writer_lives(const std::string& run);

// A run's folder, made and locked against every other process until this object goes.
class RunDirectory {
public:
    // Throws InputError if the folder exists and neither resume nor overwrite was asked for, if it is no run, or if
    // another process is writing it; StorageError if it cannot be made or written. `overwrite` deletes what is in a
    // folder that looks like a run, and nothing else.
    explicit RunDirectory(const RunRequest& request);
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;
    ~RunDirectory();

    const std::string& path() const { return path_; }
    std::string name() const;
    // True if the run was there and is being resumed; whether it has a checkpoint is another question.
    bool resumed() const { return resumed_; }

    std::string config_path() const { return path_ + "/config.json"; }
    std::string manifest_path() const { return path_ + "/manifest.json"; }
    std::string log_path() const { return path_ + "/log.jsonl"; }
    std::string events_path() const { return path_ + "/events.out.tfevents.steepest"; }
    std::string train_log_path() const { return path_ + "/train.log"; }
    std::string checkpoints_path() const { return path_ + "/checkpoints"; }

    // Indented, whole or not at all, durable. Throw StorageError.
    void write_config(const Json& config) const;
    void write_manifest(const Json& manifest) const;

private:
    void lock();
    void check_usable(const RunRequest& request) const;
    void clear() const;

    std::string path_;
    bool resumed_ = false;
    int lock_ = -1;
};

}  // namespace steepest
