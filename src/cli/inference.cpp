#include "cli/inference.h"

#include "core/error.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace steepest::cli {

Inference::Inference(const RunArguments& arguments, const RunConfig& config)
    : backend(config), runner(config, Purpose::inference) {
    runner.allocate(backend.device());
    // Warnings about damaged checkpoints must not mix with what eval and sample print.
    spdlog::logger logger("steepest", std::make_shared<spdlog::sinks::stderr_sink_st>());
    Checkpoints checkpoints(arguments.run + "/checkpoints", backend.device(), 0, logger);
    const auto weights = runner.named_weights();
    if (!arguments.checkpoint.empty()) {
        state = checkpoints.load_weights(arguments.checkpoint, weights);
    } else {
        const auto found = checkpoints.load_latest_weights(weights);
        if (!found) throw InputError(arguments.run + " has no checkpoint");
        state = *found;
    }
    runner.parameters().refresh_copies();
}

}  // namespace steepest::cli
