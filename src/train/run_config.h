#pragma once
// Every option of a run, from the config structs of every folder. One place says what a run is; its resolved form is
// written into the run directory and replays it.
#include "core/config_writer.h"
#include "data/byte_text.h"
#include "data/data_config.h"
#include "model/gpt2_config.h"
#include "optim/config.h"
#include "problems/synthetic.h"

#include <cstdint>
#include <optional>
#include <string>

namespace steepest {

struct PrecisionConfig {
    std::string compute = "fp32", master = "fp32", state = "fp32";

    void fields(auto& f) {
        f("compute", compute, "weight copies, activations and products: bf16 accumulates in f32; tf32 needs a GPU",
          OneOf{"fp32", "tf32", "bf16"});
        f("master", master, "the weights that the optimizer updates", OneOf{"fp32"});
        f("state", state, "the optimizer's state", OneOf{"fp32"});
    }
    DType dtype() const { return compute == "bf16" ? DType::bf16 : DType::f32; }
};

// One seed for everything, or one each, so that a single source of randomness can be varied.
struct SeedsConfig {
    std::optional<std::uint64_t> init, data, optimizer;

    void fields(auto& f) {
        f("init", init, "of the initial weights; null: `seed`");
        f("data", data, "of the order of the data; null: `seed`");
        f("optimizer", optimizer, "of randomised optimizer stages; null: `seed`");
    }
};

struct EvaluationConfig {
    std::int64_t every = 100, tokens = 65536;

    void fields(auto& f) {
        f("every", every, "steps between evaluations; also before the first step and after the last; 0: never",
          Range<std::int64_t>{.low = 0});
        f("tokens", tokens,
          "held-out tokens an evaluation predicts, the same ones each time, rounded up to whole sequences",
          Range<std::int64_t>{.low = 1});
    }
};

struct CheckpointConfig {
    std::int64_t every = 0;
    int keep = 2;

    void fields(auto& f) {
        f("every", every, "steps between checkpoints; one is also written at the end and on Ctrl-C; 0: only then",
          Range<std::int64_t>{.low = 0});
        f("keep", keep, "how many of the newest stay; 0: all", Range<int>{.low = 0});
    }
};

// What makes a run whose loss is finite a lost one.
struct DivergenceConfig {
    std::optional<double> loss, above_first;
    std::int64_t after = 0, steps = 10;

    void fields(auto& f) {
        f("loss", loss, "training loss above which a step is a lost one; null: none is");
        f("above_first", above_first,
          "the same for the loss minus that of the run's first step: 0 means worse than at the start; null: none is");
        f("after", after, "steps at the start that are not looked at", Range<std::int64_t>{.low = 0});
        f("steps", steps, "consecutive lost steps after which the run has diverged", Range<std::int64_t>{.low = 1});
    }
    bool lost(std::int64_t step, double now, double first) const {
        return step > after && ((loss && now > *loss) || (above_first && now - first > *above_first));
    }
};

struct LogConfig {
    bool tensorboard = false;

    void fields(auto& f) {
        f("tensorboard", tensorboard,
          "also a TensorBoard event file beside log.jsonl: losses, learning rates, gradient norm, tokens a second");
    }
};

struct SamplingConfig {
    std::int64_t every = 0;
    int tokens = 128;
    std::string prompt = "\n";
    std::vector<std::int32_t> prompt_tokens;
    double temperature = 0.8;
    int top_k = 0;

    void fields(auto& f) {
        f("every", every, "steps between samples; 0: never", Range<std::int64_t>{.low = 0});
        f("tokens", tokens, "tokens a sample", Range<int>{1, 1 << 20});
        f("prompt", prompt, "the text that samples continue, for the vocabulary of bytes");
        f("prompt_tokens", prompt_tokens, "token ids that samples continue, in place of `prompt`",
          Range<std::int32_t>{.low = 0});
        f("temperature", temperature, "logits are divided by it; 0 takes the likeliest token", Range<double>{0, 100});
        f("top_k", top_k, "only the k likeliest tokens are drawn from; 0: all", Range<int>{.low = 0});
    }
};

struct DiagnosticsConfig {
    std::int64_t every = 0;

    void fields(auto& f) {
        f("every", every,
          "steps between lines of the log with norms, singular values and noise of each group; 0: never; takes state "
          "of the weights' size and scratch of four times the largest group's",
          Range<std::int64_t>{.low = 0});
    }
};

struct CudaConfig {
    bool graphs = true, search_algorithms = false;

    void fields(auto& f) {
        f("graphs", graphs, "record a step's launches once and launch them whole from then on");
        f("search_algorithms", search_algorithms,
          "time cuBLASLt's proposals for each product instead of taking the first; what was chosen is kept in manifest "
          "and checkpoints, and resume and replay use exactly that");
    }
};

struct RunConfig {
    std::string description, name, runs = "runs";
    Gpt2Config model;
    std::optional<PluginConfig<SyntheticProblem>> problem;
    OptimizerConfig optimizer;
    DataConfig data;
    std::int64_t batch = 32, micro_batch = 0, steps = 0, tokens = 0;
    std::string device = "auto";
    CudaConfig cuda;
    int threads = 0;
    std::int64_t measure_peak = 0;
    std::uint64_t seed = 1;
    SeedsConfig seeds;
    PrecisionConfig precision;
    double max_gradient_norm = 1;
    std::string second_gradient = "previous_weights";
    std::int64_t max_bad_steps = 10;
    DivergenceConfig divergence;
    EvaluationConfig evaluation;
    CheckpointConfig checkpoint;
    LogConfig log;
    SamplingConfig sampling;
    DiagnosticsConfig diagnostics;

    void fields(auto& f) {
        f("description", description, "for people; not read");
        f("name", name, "of the run's folder; empty: the config's file name and the seed");
        f("runs", runs, "the folder of runs");
        f("model", model, "the network: a preset's name or its sizes", Preset{"models"});
        f("problem", problem, "a synthetic problem in place of the network and its texts; null: none");
        f("optimizer", optimizer, "a preset's name or groups of parameters", Preset{"optimizers"}, Required{});
        f("data", data, "what is learnt from and what judges; not for a synthetic problem");
        f("batch", batch, "sequences a step, over all ranks", Range<std::int64_t>{1, std::int64_t{1} << 32});
        f("micro_batch", micro_batch, "sequences at a time on one device; it divides the batch; 0: all of them",
          Range<std::int64_t>{.low = 0});
        f("steps", steps, "updates; give this or `tokens`", Range<std::int64_t>{.low = 0});
        f("tokens", tokens, "tokens to train on, rounded up to whole steps; give this or `steps`",
          Range<std::int64_t>{.low = 0});
        f("device", device,
          "auto: the first GPU if this build and this machine have one, else cpu; cpu; cuda: the "
          "first GPU; cuda:N: device N");
        f("cuda", cuda, "of the GPU backend");
        f("threads", threads, "of the CPU backend; results do not depend on it; 0: all cores", Range<int>{0, 4096});
        f("measure_peak", measure_peak,
          "side of a square product that is timed before the run, in the precision of products, so that the log says "
          "what share of that rate the model reaches; 8192 suits large GPUs, 1536 a few cores; 0: not",
          Range<std::int64_t>{0, 65536});
        f("seed", seed, "of everything that is random");
        f("seeds", seeds, "seeds of single sources of randomness");
        f("precision", precision, "number formats");
        f("max_gradient_norm", max_gradient_norm,
          "gradients with a larger global L2 norm are scaled down to it; the second gradient of variance reduction has "
          "its "
          "own norm; 0: no clipping",
          Range<double>{.low = 0});
        f("second_gradient", second_gradient,
          "for optimizers that need the batch's gradient at the previous weights: previous_weights keeps them, "
          "prefetch "
          "takes the next batch's gradient before the update; equal to the last bit",
          OneOf{"previous_weights", "prefetch"});
        f("max_bad_steps", max_bad_steps,
          "consecutive steps without finite loss and gradients after which the run has diverged; such steps change "
          "nothing",
          Range<std::int64_t>{.low = 1});
        f("divergence", divergence, "which finite losses end a run, as diverged");
        f("evaluation", evaluation, "validation loss");
        f("checkpoint", checkpoint, "what a stopped run goes on from");
        f("log", log, "beside log.jsonl");
        f("sampling", sampling, "texts by the model, for people");
        f("diagnostics", diagnostics, "what steps look like, for people who study optimizers");
    }
    void check(auto&& error) const {
        if (micro_batch > 0 && batch % micro_batch)
            error("/micro_batch", std::to_string(micro_batch) + " does not divide batch " + std::to_string(batch));
        if ((steps > 0) == (tokens > 0)) error("/steps", "expected one of `steps` and `tokens` to be above 0");
        if (device != "auto" && device != "cpu" && cuda_index() < 0)
            error("/device", "\"" + device + "\" is not one of: auto, cpu, cuda, cuda:N");
        if (precision.compute == "tf32" && device == "cpu")
            error("/precision/compute", "tf32 needs a GPU, and /device is \"cpu\"");
        problem ? check_synthetic(error) : check_text(error);
    }
    void check_text(auto&& error) const {
        if (data.train.empty()) error("/data/train", "missing: no files to learn from");
        if (sampling.every > 0 && sampling.prompt_tokens.empty() && model.vocab != kByteVocab)
            error("/sampling/prompt_tokens", "a prompt in token ids is needed: the vocabulary is not that of bytes");
        if (evaluation.every > 0 && !data.has_validation())
            error("/evaluation/every",
                  "there is no held-out data: give data.validation or data.validation_fraction, or 0");
    }
    void check_synthetic(auto&& error) const {
        const std::string has = problem->type() + " ";
        if (!data.train.empty() || !data.validation.empty()) error("/data", has + "makes its own samples");
        if (write_config(model) != write_config(Gpt2Config{})) error("/model", has + "has no network");
        if (sampling.every > 0) error("/sampling/every", has + "has nothing to sample; expected 0");
        if (device != "auto" && device != "cpu")
            error("/device", has + "is computed on the host; expected \"cpu\" or \"auto\"");
    }

    // What log and counters call tokens: a sample of a synthetic problem is one.
    std::int64_t tokens_per_sequence() const { return problem ? 1 : model.context; }
    std::int64_t tokens_per_step() const { return batch * tokens_per_sequence(); }
    std::int64_t total_steps() const {
        return steps > 0 ? steps : (tokens + tokens_per_step() - 1) / tokens_per_step();
    }
    std::int64_t micro_batch_sequences() const { return micro_batch > 0 ? micro_batch : batch; }
    std::int64_t evaluation_sequences() const { return (evaluation.tokens + model.context - 1) / model.context; }
    // -1 if `device` names no GPU.
    int cuda_index() const {
        if (device == "cuda") return 0;
        const std::string number = device.starts_with("cuda:") ? device.substr(5) : "";
        const bool digits =
            !number.empty() && number.size() <= 4 && number.find_first_not_of("0123456789") == std::string::npos;
        return digits ? std::stoi(number) : -1;
    }
    std::uint64_t init_seed() const { return seeds.init.value_or(seed); }
    std::uint64_t optimizer_seed() const { return seeds.optimizer.value_or(seed); }
    std::uint64_t data_seed() const { return seeds.data.value_or(seed); }
};

}  // namespace steepest
