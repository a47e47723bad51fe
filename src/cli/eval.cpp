// `steepest eval RUN`: validation loss of a checkpoint.
#include "cli/inference.h"
#include "core/error.h"

#include <cmath>
#include <cstdio>
#include <memory>
#include <numbers>

namespace steepest::cli {

namespace {

struct Options {
    RunArguments run;
    std::int64_t tokens = 0;
};

void eval(const Options& options) {
    RunConfig config = options.run.load();
    if (options.tokens > 0) config.evaluation.tokens = options.tokens;
    if (!config.data.has_validation()) throw InputError(options.run.run + " has no held-out data");
    if (config.evaluation.every == 0) config.evaluation.every = 1;
    Inference inference(options.run, config);
    Evaluator& evaluator = *inference.runner.evaluator();
    const double loss = evaluator.loss(inference.runner.parameters().copies());
    std::printf("step %lld: validation loss %.6f nats a token over %lld tokens, perplexity %.4f",
                static_cast<long long>(inference.state.step), loss, static_cast<long long>(evaluator.tokens()),
                std::exp(loss));
    if (config.model.vocab == kByteVocab) std::printf(", %.4f bits a byte", loss / std::numbers::ln2);
    std::printf("\n");
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
