#pragma once
// state.json: where a run stands besides its tensors, and the checksums that tell whether a checkpoint is intact.
#include "core/json.h"

#include <cstdint>
#include <optional>
#include <string>

namespace steepest {

// The counters are totals since step 0.
struct RunState {
    std::int64_t step = 0;  // updates done
    std::int64_t tokens = 0, gradients = 0;
    double model_flops = 0, optimizer_flops = 0;
    std::int64_t bad_steps = 0;               // steps skipped because something was not finite
    std::int64_t consecutive_bad_steps = 0;   // of these, the ones just before
    std::optional<double> first_loss = {};    // of the first step that had a finite one
    std::int64_t consecutive_lost_steps = 0;  // of DivergenceConfig, the ones just before
    std::int64_t log_offset = 0;              // bytes of log.jsonl that belong to this state
    std::uint64_t data_hash = 0;              // state of TokenStreamHash
    // Of what must not change between a run and its continuation; the trainer decides what that is and compares.
    std::string config_fingerprint;
    Json library_choices = Json::object();  // core/library_choices.h
    double train_seconds = 0, eval_seconds = 0, wall_seconds = 0;

    bool operator==(const RunState&) const = default;
};

// All of state.json.
struct CheckpointRecord {
    RunState run;
    // Of names, types and shapes, so that a tool can tell models and optimizers apart without reading tensors.
    std::uint64_t model_fingerprint = 0, optimizer_fingerprint = 0;
    std::uint64_t weights_checksum = 0, optimizer_checksum = 0;  // XXH3 of the files
};

// Throws StorageError.
void write_record(const std::string& path, const CheckpointRecord& record);
// Throws InputError that names the file and the key or checksum that is wrong.
CheckpointRecord read_record(const std::string& path);

}  // namespace steepest
