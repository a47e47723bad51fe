// `steepest bench step|ops|optimizers CONFIG`: what a training step costs here, on random tokens of the config's shape.
#include "cli/backend.h"
#include "cli/run_arguments.h"
#include "core/clock.h"
#include "core/config_writer.h"
#include "core/error.h"
#include "core/presets.h"
#include "data/token_shard.h"
#include "report/table.h"
#include "train/measured_peak.h"
#include "train/stepper.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sys/resource.h>
#include <unistd.h>

namespace steepest::cli {

namespace {

struct Options {
    ConfigArguments config;
    int steps = 10, warmup = 2, gemm = 0;
    bool json = false;
};

// A shard of random tokens, gone with this object: a benchmark must not depend on what data there is.
class RandomShard {
public:
    RandomShard(const RunConfig& config, int steps) {
        std::string pattern = (std::filesystem::temp_directory_path() / "steepest-bench-XXXXXX").string();
        if (!mkdtemp(pattern.data()))
            throw StorageError("cannot make a folder in " + std::filesystem::temp_directory_path().string());
        folder_ = pattern;
        const Random random(1, "bench/tokens");
        std::vector<std::int32_t> tokens(config.tokens_per_step() * (steps + 2) + config.model.context + 1);
        for (std::size_t i = 0; i < tokens.size(); ++i)
            tokens[i] = static_cast<std::int32_t>(random.below(config.model.vocab, i));
        write_token_shard(path(), tokens, config.model.vocab);
    }
    ~RandomShard() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    std::string path() const { return folder_ + "/random.bin"; }

private:
    std::string folder_;
};

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

struct Measured {
    std::vector<double> seconds, optimizer_seconds;
    double model_flops = 0, optimizer_flops = 0, peak = 0, resident_mib = 0, state_bytes = 0, parameters = 0;
    int gradients = 1;
    OpProfile profile;

    void add(const StepReport& report) {
        seconds.push_back(report.seconds), optimizer_seconds.push_back(report.optimizer_seconds);
    }
};

// A run of random tokens, stepped by hand.
class Bench {
public:
    Bench(const RunConfig& config, int steps)
        : shard_(config, steps), config_(on_shard(config)), backend_(config_), stepper_(config_, *comm_) {
        stepper_.allocate(backend_.device());
        stepper_.runner().parameters().initialize(config_.init_seed());
    }

    const RunConfig& config() const { return config_; }
    Backend& backend() { return backend_; }
    StepReport step() { return stepper_.step(++taken_, hash_); }
    // All that is known without a step.
    Measured sizes() {
        Measured m;
        m.model_flops = stepper_.model_flops(), m.optimizer_flops = stepper_.optimizer_flops();
        m.state_bytes = static_cast<double>(stepper_.state_bytes());
        m.parameters = static_cast<double>(stepper_.runner().parameters().count());
        m.gradients = stepper_.oracle().gradients_per_step();
        return m;
    }

private:
    RunConfig on_shard(RunConfig config) const {
        config.data = {.train = {shard_.path()}, .validation = {}, .validation_fraction = 0};
        config.evaluation.every = 0;
        return config;
    }

    RandomShard shard_;
    RunConfig config_;
    std::unique_ptr<Communicator> comm_ = make_single();
    Backend backend_;
    Stepper stepper_;
    TokenStreamHash hash_;
    std::int64_t taken_ = 0;
};

Measured measure(const RunConfig& config, const Options& options, bool profile) {
    Bench bench(config, options.steps + options.warmup);
    Measured m = bench.sizes();
    const Device device = bench.backend().device();
    for (int step = 1; step <= options.warmup + options.steps; ++step) {
        if (profile && step == options.warmup + 1) hooks(device).profile = &m.profile;
        const StepReport report = bench.step();
        if (step > options.warmup) m.add(report);
    }
    hooks(device).profile = nullptr;
    const std::int64_t side = options.gemm > 0 ? options.gemm : std::holds_alternative<Cpu*>(device) ? 1536 : 8192;
    m.peak = measured_peak_flops(device, config.precision.dtype(), side);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    m.resident_mib = static_cast<double>(usage.ru_maxrss) / 1024;
    std::fprintf(stderr, "%s\n", bench.backend().describe().c_str());
    return m;
}

void bench_step(const Options& options) {
    const RunConfig config = options.config.load();
    const Measured m = measure(config, options, false);
    const double seconds = median(m.seconds), optimizer = median(m.optimizer_seconds);
    const double best = *std::min_element(m.seconds.begin(), m.seconds.end());
    const double tokens = static_cast<double>(config.tokens_per_step());
    if (options.json) {
        const Json line = {{"step_ms", seconds * 1e3},
                           {"best_step_ms", best * 1e3},
                           {"optimizer_ms", json_number(static_cast<float>(optimizer * 1e3))},
                           {"tokens_per_s", tokens / seconds},
                           {"gflop_per_s", (m.model_flops + m.optimizer_flops) / seconds * 1e-9},
                           {"measured_peak_gflop_per_s", m.peak * 1e-9},
                           {"resident_mib", m.resident_mib}};
        std::printf("%s\n", line.dump().c_str());
        return;
    }
    report::Table table({{"a step of", "tokens"},
                         {"median", "ms"},
                         {"best", "ms"},
                         {"optimizer", "ms"},
                         {"optimizer", "%"},
                         {"tokens", "1/s"},
                         {"rate", "GFLOP/s"},
                         {"of GEMM peak", "%"},
                         {"peak memory", "MiB"}});
    table.add({report::grouped(tokens), report::fixed(seconds * 1e3, 1), report::fixed(best * 1e3, 1),
               std::isnan(optimizer) ? "" : report::fixed(optimizer * 1e3, 1),
               std::isnan(optimizer) ? "" : report::fixed(100 * optimizer / seconds, 1),
               report::grouped(tokens / seconds),
               report::fixed((m.model_flops + m.optimizer_flops) / seconds * 1e-9, 1),
               report::fixed(100 * (m.model_flops + m.optimizer_flops) / seconds / m.peak, 1),
               report::fixed(m.resident_mib, 0)});
    std::printf("%s", table.text().c_str());
}

void bench_ops(const Options& options) {
    const Measured m = measure(options.config.load(), options, true);
    double step = 0;
    for (const double s : m.seconds) step += s;
    std::vector<std::pair<std::string, OpProfile::Entry>> entries(m.profile.entries.begin(), m.profile.entries.end());
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });

    report::Table table({{"op", "", report::Align::left},
                         {"calls", "1/step"},
                         {"time", "ms/step"},
                         {"share", "%"},
                         {"traffic", "GB/s"},
                         {"rate", "GFLOP/s"},
                         {"of GEMM peak", "%"}});
    double accounted = 0;
    for (const auto& [name, e] : entries) {
        accounted += e.seconds;
        table.add({name, report::fixed(static_cast<double>(e.calls) / options.steps, 1),
                   report::fixed(e.seconds * 1e3 / options.steps, 2), report::fixed(100 * e.seconds / step, 1),
                   report::fixed(e.bytes / e.seconds * 1e-9, 1),
                   e.flops > 0 ? report::fixed(e.flops / e.seconds * 1e-9, 1) : "",
                   e.flops > 0 ? report::fixed(100 * e.flops / e.seconds / m.peak, 1) : ""});
    }
    table.add({"outside ops", "", report::fixed((step - accounted) * 1e3 / options.steps, 2),
               report::fixed(100 * (step - accounted) / step, 1), "", "", ""});
    std::printf("%s", table.text().c_str());
}

// Every preset on the same model and batch, step by step in turn with AdamW: what else the machine does meets both, and
// the ratio is the median of those of neighbours.
void bench_optimizers(const Options& options) {
    const auto bench = [&](const std::string& optimizer) {
        ConfigArguments arguments = options.config;
        arguments.sets.push_back("optimizer=" + optimizer);
        return std::make_unique<Bench>(arguments.load(), options.steps + options.warmup);
    };
    report::Table table({{"optimizer", "", report::Align::left},
                         {"median", "ms"},
                         {"to adamw"},
                         {"optimizer", "ms"},
                         {"optimizer", "GFLOP"},
                         {"state", "bytes/parameter"},
                         {"gradients", "1/step"}});
    for (const PresetInfo& preset : list_presets("optimizers")) {
        const auto adamw = bench("adamw"), other = bench(preset.name);
        Measured m = other->sizes();
        std::vector<double> ratios;
        for (int step = 1; step <= options.warmup + options.steps; ++step) {
            const double against = adamw->step().seconds;
            const StepReport report = other->step();
            if (step > options.warmup) m.add(report), ratios.push_back(report.seconds / against);
        }
        table.add({preset.name, report::fixed(median(m.seconds) * 1e3, 1), report::fixed(median(ratios), 2) + "x",
                   report::fixed(median(m.optimizer_seconds) * 1e3, 1), report::fixed(m.optimizer_flops * 1e-9, 3),
                   report::fixed(m.state_bytes / m.parameters, 2), std::to_string(m.gradients)});
    }
    std::printf("%s", table.text().c_str());
}

}  // namespace

Action add_bench(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    const auto what = std::make_shared<void (*)(const Options&)>(nullptr);
    app.require_subcommand(1);
    const auto add = [&](const char* name, const char* help, void (*run)(const Options&)) {
        CLI::App* sub = app.add_subcommand(name, help);
        options->config.declare(*sub);
        sub->add_option("--steps", options->steps, "steps to time")->check(CLI::PositiveNumber)->capture_default_str();
        sub->add_option("--warmup", options->warmup, "steps before them")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str();
        sub->add_option("--gemm", options->gemm, "side of the product that GEMM peak means; 0: 1536, on a GPU 8192")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str();
        sub->callback([what, run] { *what = run; });
        return sub;
    };
    add("step", "time of whole steps", bench_step)->add_flag("--json", options->json, "one JSON line, for scripts");
    add("optimizers", "time, work and state of every optimizer preset", bench_optimizers);
    add("ops", "time by op, with memory traffic and arithmetic", bench_ops);
    return [options, what] { (*what)(*options); };
}

}  // namespace steepest::cli
