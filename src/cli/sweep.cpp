// `steepest sweep SWEEP.json`: all its runs, or with --dry-run what they would be.
#include "cli/command.h"
#include "comm/communicator.h"
#include "report/table.h"
#include "sweep/executor.h"
#include "train/trainer.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

namespace steepest::cli {

namespace {

using report::Align;

struct Options {
    std::string sweep, shard = "1/1";
    std::vector<std::string> sets, gpus;
    int jobs = 0;
    bool dry_run = false;
};

sweep::SweepConfig load(const Options& options) {
    PresetTable presets = preset_table<sweep::SweepConfig>();
    presets[""] = "sweeps";
    auto config = read_config<sweep::SweepConfig>(load_config(options.sweep, options.sets, presets));
    if (config.name.empty()) config.name = std::filesystem::path(options.sweep).stem().string();
    return config;
}

// Every run's config is read before the first one starts: a misspelt key in the last arm is known at once.
std::vector<RunConfig> read_runs(const sweep::SweepConfig& config, std::vector<sweep::PlannedRun>& runs) {
    std::vector<RunConfig> configs;
    std::string wrong;
    int count = 0;
    for (sweep::PlannedRun& run : runs) try {
            configs.push_back(load_config<RunConfig>(config.config, run.sets()));
            run.steps = configs.back().total_steps();
        } catch (const InputError& error) {
            // The seeds of a point are wrong in the same way.
            if (run.first_seed) wrong += "\nrun " + run.name + ": " + error.what(), ++count;
        }
    if (count > 0) throw InputError(std::to_string(count) + " points of the sweep are wrong" + wrong);
    return configs;
}

void print_plan(const std::string& folder, const sweep::Shard& shard, const std::vector<sweep::PlannedRun>& runs,
                const std::vector<RunConfig>& configs, bool by_point) {
    report::Table table({{"run", "", Align::left}, {"options", "", Align::left}, {"steps"}, {"TFLOP"}, {"MiB"}});
    const std::unique_ptr<Communicator> comm = make_single();
    double flops = 0, bytes = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (!shard.has(runs[i], i, by_point)) continue;
        Trainer trainer(configs[i], *comm);
        Stepper& stepper = trainer.stepper();
        const double work = (stepper.model_flops() + stepper.optimizer_flops()) * static_cast<double>(runs[i].steps);
        double checkpoint = 4.0 * static_cast<double>(stepper.runner().parameters().count());
        for (const AssignmentRow& row : stepper.optimizer().assignments())
            checkpoint += static_cast<double>(row.state_bytes);
        const CheckpointConfig& keep = configs[i].checkpoint;
        const std::int64_t written = 1 + (keep.every > 0 ? (runs[i].steps - 1) / keep.every : 0);
        const double disk =
            checkpoint * static_cast<double>(keep.keep > 0 ? std::min<std::int64_t>(keep.keep, written) : written);
        std::string varied;
        for (const auto& [path, value] : runs[i].varied)
            varied += (varied.empty() ? "" : " ") + path + "=" + value.dump();
        table.add({runs[i].name, varied, report::grouped(static_cast<double>(runs[i].steps)),
                   report::fixed(work * 1e-12, 2), report::fixed(disk / (1 << 20), 1)});
        flops += work, bytes += disk, ++count;
    }
    std::printf("%s\n%zu runs into %s: %s TFLOP without evaluations, %s MiB of checkpoints\n", table.text().c_str(),
                count, folder.c_str(), report::fixed(flops * 1e-12, 1).c_str(),
                report::fixed(bytes / (1 << 20), 1).c_str());
}

void run_sweep(const Options& options) {
    const sweep::SweepConfig config = load(options);
    const sweep::Shard shard = sweep::parse_shard(options.shard);
    std::vector<sweep::PlannedRun> runs = sweep::plan(config, options.sweep);
    const std::vector<RunConfig> configs = read_runs(config, runs);
    const std::string path = (std::filesystem::path(config.runs) / config.name).string();
    if (options.dry_run) return print_plan(path, shard, runs, configs, config.stop_diverged);

    const int jobs = options.jobs > 0 ? options.jobs : std::max(1, static_cast<int>(options.gpus.size()));
    if (!options.gpus.empty() && jobs > static_cast<int>(options.gpus.size()))
        throw InputError("--jobs " + std::to_string(jobs) + ": there are " + std::to_string(options.gpus.size()) +
                         " --gpus, and each runs one");
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    sweep::Folder folder(config, std::move(runs));
    const sweep::Tally tally = sweep::execute(folder, {.config = config.config,
                                                       .jobs = jobs,
                                                       .threads = std::max(1, cores / jobs),
                                                       .gpus = options.gpus,
                                                       .shard = shard,
                                                       .by_point = config.stop_diverged});
    std::printf("%s/results.csv: %d done, %d diverged, %d failed, %d skipped, %d not finished\n", folder.path().c_str(),
                tally.done, tally.diverged, tally.failed, tally.skipped, tally.elsewhere);
    if (tally.failed > 0)
        throw Error(Exit::internal, std::to_string(tally.failed) + " runs failed; the column \"error\" says why");
}

}  // namespace

Action add_sweep(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option("SWEEP", options->sweep, "a JSON file, or the name of a sweep (steepest list sweeps)")->required();
    app.add_option("--set", options->sets, "set one option of the sweep, e.g. set.steps=100; repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    app.add_option("--jobs", options->jobs, "runs at a time; each gets its share of the cores; 1, or one a GPU")
        ->check(CLI::Range(1, 4096));
    app.add_option("--gpus", options->gpus, "devices, one run each: 0,1,2 (CUDA_VISIBLE_DEVICES)")->delimiter(',');
    app.add_option("--shard", options->shard, "the i-th of n parts, e.g. 2/8")->type_name("I/N");
    app.add_flag("--dry-run", options->dry_run, "list the runs, their work and disk, and stop");
    return [options] { run_sweep(*options); };
}

}  // namespace steepest::cli
