#include "cli/sweep_cost.h"

#include "cli/backend.h"
#include "comm/communicator.h"
#include "core/clock.h"
#include "report/run_record.h"
#include "report/table.h"
#include "train/stepper.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

namespace steepest::cli {

namespace {

constexpr double kBudget = 6;             // seconds for all timed steps
constexpr double kShare = 1;              // and for those of one kind
constexpr double kLargestTimed = 3e11;    // FLOPs of a step on a CPU: about two seconds on a few cores
constexpr double kBytesPerLogLine = 600;  // of a step, with three groups of parameters

// Steps that do the same work.
struct Kind {
    double flops = 0;  // a step
    std::vector<double> finished;
    std::optional<double> timed;

    std::optional<double> seconds() const {
        if (finished.empty()) return timed;
        double sum = 0;
        for (const double s : finished) sum += s;
        return sum / static_cast<double>(finished.size());
    }
};

std::string kind_of(const RunConfig& config, Stepper& stepper) {
    return report::shortest(stepper.model_flops()) + " " + report::shortest(stepper.optimizer_flops()) + " " +
           std::to_string(stepper.state_bytes()) + " " + std::to_string(config.micro_batch) + " " +
           config.precision.compute + " " + config.device + " " + std::to_string(config.threads);
}

// Of a step after the first; nothing if a step is too large to be tried.
std::optional<double> timed_step(const RunConfig& config, Stepper& stepper) {
    Backend backend(config);
    const double flops = stepper.model_flops() + stepper.optimizer_flops();
    if (std::holds_alternative<Cpu*>(backend.device()) && flops > kLargestTimed) return std::nullopt;
    stepper.runner().require_memory(backend.device());
    stepper.allocate(backend.device());
    stepper.runner().parameters().initialize(config.init_seed());
    TokenStreamHash hash;
    std::vector<double> seconds;
    const double start = monotonic_seconds();
    for (std::int64_t step = 1; step <= 20 && (step <= 2 || monotonic_seconds() - start < kShare); ++step)
        seconds.push_back(stepper.step(step, hash).seconds);
    // The first one meets cold memory.
    std::ranges::sort(seconds.begin() + 1, seconds.end());
    return seconds[1 + (seconds.size() - 1) / 2];
}

std::optional<double> finished_step(const std::string& run) {
    if (!std::filesystem::exists(run + "/log.jsonl")) return std::nullopt;
    const report::RunRecord record = report::read_run(run, {.most_train_rows = 0});
    if (record.status != report::RunStatus::done || !std::isfinite(record.step_ms_median)) return std::nullopt;
    return record.step_ms_median / 1e3;
}

double checkpoint_bytes(const RunConfig& config, Stepper& stepper) {
    const double one =
        4.0 * static_cast<double>(stepper.runner().parameters().count()) + static_cast<double>(stepper.state_bytes());
    const CheckpointConfig& rule = config.checkpoint;
    const std::int64_t written = 1 + (rule.every > 0 ? (config.total_steps() - 1) / rule.every : 0);
    return one * static_cast<double>(rule.keep > 0 ? std::min<std::int64_t>(rule.keep, written) : written);
}

// Evaluations as steps: a forward pass is a third of a gradient.
double evaluations_in_steps(const RunConfig& config, Stepper& stepper) {
    const std::int64_t every = config.evaluation.every, steps = config.total_steps();
    if (every == 0) return 0;
    const auto count = static_cast<double>(1 + steps / every + (steps % every != 0));
    return count * static_cast<double>(stepper.runner().task().evaluation_samples()) /
           static_cast<double>(config.batch) /
           (3.0 * stepper.oracle().gradients_per_step() + stepper.oracle().losses_per_step());
}

std::string counted(std::size_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

SweepCost sweep_cost(const std::string& folder, const std::vector<sweep::PlannedRun>& runs,
                     const std::vector<RunConfig>& configs, const std::vector<bool>& wanted) {
    SweepCost cost;
    cost.runs.resize(runs.size());
    const std::unique_ptr<Communicator> comm = make_single();
    std::map<std::string, Kind> kinds;
    std::vector<Kind*> kind_of_run(runs.size(), nullptr);
    std::vector<double> steps(runs.size());
    const double start = monotonic_seconds();
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (!wanted[i]) continue;
        Stepper stepper(configs[i], *comm);
        Kind& kind = kinds[kind_of(configs[i], stepper)];
        kind_of_run[i] = &kind;
        kind.flops = stepper.model_flops() + stepper.optimizer_flops();
        steps[i] = static_cast<double>(runs[i].steps) + evaluations_in_steps(configs[i], stepper);
        cost.runs[i] = {.flops = kind.flops * static_cast<double>(runs[i].steps),
                        .disk_bytes = checkpoint_bytes(configs[i], stepper) +
                                      kBytesPerLogLine * static_cast<double>(runs[i].steps)};
        if (const auto seconds = finished_step(folder + "/" + runs[i].name))
            kind.finished.push_back(*seconds);
        else if (!kind.seconds() && monotonic_seconds() - start < kBudget)
            kind.timed = timed_step(configs[i], stepper);
    }
    std::size_t finished = 0, timed = 0, scaled = 0;
    double known_seconds = 0, known_flops = 0;
    for (const auto& [name, kind] : kinds) {
        finished += kind.finished.size();
        timed += kind.finished.empty() && kind.timed;
        scaled += !kind.seconds();
        if (const auto seconds = kind.seconds()) known_seconds += *seconds, known_flops += kind.flops;
    }
    for (std::size_t i = 0; i < runs.size(); ++i)
        if (const Kind* kind = kind_of_run[i])
            cost.runs[i].seconds = steps[i] * kind->seconds().value_or(kind->flops * known_seconds / known_flops);
    if (finished > 0) cost.rests_on += counted(finished, "finished run") + " of this sweep";
    if (timed > 0)
        cost.rests_on += (cost.rests_on.empty() ? "" : ", ") + std::string("a few steps here of ") +
                         counted(timed, "kind") + " of step";
    if (scaled > 0)
        cost.rests_on += (cost.rests_on.empty() ? "" : ", ") + std::string("FLOPs alone for ") +
                         counted(scaled, "kind") + (known_flops > 0 ? "" : ", too large to be tried");
    return cost;
}

}  // namespace steepest::cli
