#pragma once
// A training run as the command line starts one: a backend, a run directory, a console.
#include "cli/run_arguments.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace steepest::cli {

struct TrainingRequest {
    bool resume = false, overwrite = false, quiet = false;
    std::int64_t stop_at = std::numeric_limits<std::int64_t>::max();  // a step
    // Of the log's lines.
    std::function<void(const Json&)> watcher = {};
};
// Throws what Trainer::run does; before the folder is made, InputError for what cannot work and DeviceError.
void run_training(const ConfigArguments& arguments, const TrainingRequest& request);

}  // namespace steepest::cli
