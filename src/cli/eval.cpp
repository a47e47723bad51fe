// `steepest eval RUN`: validation loss of a checkpoint.
#include "cli/inference.h"

#include <cstdio>
#include <memory>

namespace steepest::cli {

namespace {

struct Options {
    RunArguments run;
    std::int64_t tokens = 0;
};

void eval(const Options& options) {
    RunConfig config = options.run.load();
    if (options.tokens > 0) config.evaluation.tokens = options.tokens;
    if (config.evaluation.every == 0) config.evaluation.every = 1;
    Inference inference(options.run, config);
    Task& task = inference.runner.task();
    const Evaluation found = task.evaluate(inference.runner.parameters().copies());
    std::printf("step %lld: %s\n", static_cast<long long>(inference.state.step), task.describe(found).c_str());
}

}  // namespace

Action add_eval(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    options->run.declare(app);
    app.add_option("--tokens", options->tokens, "held-out tokens to predict; as many as in training")
        ->check(CLI::PositiveNumber);
    return [options] { eval(*options); };
}

}  // namespace steepest::cli
