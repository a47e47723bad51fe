// `steepest sample RUN`: a checkpoint continues a text, printed as it comes.
#include "cli/inference.h"
#include "core/error.h"
#include "data/byte_text.h"
#include "train/sampler.h"

#include <cstdio>
#include <memory>

namespace steepest::cli {

namespace {

struct Options {
    RunArguments run;
    std::string prompt;
    std::vector<std::int32_t> prompt_tokens;
    int tokens = 256, top_k = -1;
    double temperature = -1;
    std::uint64_t seed = 1;
};

void sample(const Options& options) {
    RunConfig config = options.run.load();
    config.evaluation.every = 0;  // no need of the data
    config.micro_batch = config.batch = 1;
    if (!options.prompt.empty()) config.sampling.prompt = options.prompt;
    if (!options.prompt_tokens.empty()) config.sampling.prompt_tokens = options.prompt_tokens;
    const SamplingRule rule{.temperature = options.temperature < 0 ? config.sampling.temperature : options.temperature,
                            .top_k = options.top_k < 0 ? config.sampling.top_k : options.top_k};
    Inference inference(options.run, config);
    Sampler* sampler = inference.runner.task().sampler();
    if (!sampler)
        throw InputError(options.run.run + " has nothing to sample: it is of " + inference.runner.task().name());

    const bool bytes = config.model.vocab == kByteVocab;
    if (bytes) std::printf("%s", tokens_to_bytes(prompt_of(config.sampling)).c_str());
    const auto emit = [&](std::int32_t token) {
        if (bytes)
            std::fputs(tokens_to_bytes(std::span(&token, 1)).c_str(), stdout);
        else
            std::printf("%d ", token);
        std::fflush(stdout);
    };
    sampler->sample(inference.runner.parameters().copies(), prompt_of(config.sampling), options.tokens, rule,
                    Random(options.seed, "sampling"), emit);
    std::printf("\n");
}

}  // namespace

Action add_sample(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    options->run.declare(app);
    app.add_option("--prompt", options->prompt, "the text to continue; as in the run's config");
    app.add_option("--prompt-tokens", options->prompt_tokens,
                   "token ids to continue, for vocabularies that are not bytes");
    app.add_option("--tokens", options->tokens, "tokens to add")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--temperature", options->temperature, "0 takes the likeliest token; as in the run's config")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--top-k", options->top_k, "draw from the k likeliest tokens, 0 from all; as in the run's config")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--seed", options->seed, "of the draws")->capture_default_str();
    return [options] { sample(*options); };
}

}  // namespace steepest::cli
