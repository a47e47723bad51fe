#pragma once
// A run's weights, loaded: what eval and sample begin with.
#include "cli/backend.h"
#include "cli/run_arguments.h"
#include "train/model_runner.h"

#include <memory>

namespace steepest::cli {

struct Inference {
    // Throws InputError if the run has no intact checkpoint.
    Inference(const RunArguments& arguments, const RunConfig& config);

    Backend backend;
    ModelRunner runner;
    RunState state;
};

}  // namespace steepest::cli
