// `steepest sweep SWEEP.json`: all its runs, or with --dry-run what they would be.
#include "cli/command.h"
#include "cli/sweep_cost.h"
#include "report/table.h"
#include "sweep/executor.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
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
            run.rungs = sweep::rung_steps(config.halving, run.steps, configs.back().evaluation.every);
        } catch (const InputError& error) {
            // The seeds of a point are wrong in the same way.
            if (run.first_seed) wrong += "\nrun " + run.name + ": " + error.what(), ++count;
        }
    if (count > 0) throw InputError(std::to_string(count) + " points of the sweep are wrong" + wrong);
    return configs;
}

// The share of each run that is expected to be trained: of the other seeds' runs, which of them is known later.
std::vector<double> expected_shares(const sweep::SweepConfig& config, const std::vector<sweep::PlannedRun>& runs) {
    std::vector<double> shares(runs.size(), 1);
    if (config.seeds_for_best == 0) return shares;
    std::map<std::size_t, double> points;  // of an arm
    for (const sweep::PlannedRun& run : runs) points[run.arm_index] += run.first_seed;
    for (std::size_t i = 0; i < runs.size(); ++i)
        if (!runs[i].first_seed)
            shares[i] = std::min(1.0, static_cast<double>(config.seeds_for_best) / points[runs[i].arm_index]);
    return shares;
}

void print_plan(const std::string& folder, const std::vector<sweep::PlannedRun>& runs,
                const std::vector<RunConfig>& configs, const std::vector<bool>& wanted,
                const std::vector<double>& shares, int jobs) {
    const SweepCost cost = sweep_cost(folder, runs, configs, wanted);
    report::Table table(
        {{"run", "", Align::left}, {"options", "", Align::left}, {"steps"}, {"TFLOP"}, {"disk", "MiB"}, {"time", "s"}});
    RunCost all;
    double count = 0, listed = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (!wanted[i]) continue;
        const RunCost& run = cost.runs[i];
        std::string varied;
        for (const auto& [path, value] : runs[i].varied)
            varied += (varied.empty() ? "" : " ") + path + "=" + value.dump();
        table.add({runs[i].name, varied, report::grouped(static_cast<double>(runs[i].steps)),
                   report::fixed(run.flops * 1e-12, 2), report::fixed(run.disk_bytes / (1 << 20), 1),
                   report::fixed(run.seconds, 1)});
        count += shares[i], listed += 1;
        all.flops += shares[i] * run.flops, all.disk_bytes += shares[i] * run.disk_bytes;
        all.seconds += shares[i] * run.seconds;
    }
    const std::string of = count < listed ? " of these" : "";
    std::printf("%s\n%.0f%s runs into %s: %s TFLOP without evaluations, %s MiB, about %s s with %d at a time\n",
                table.text().c_str(), count, of.c_str(), folder.c_str(), report::fixed(all.flops * 1e-12, 1).c_str(),
                report::fixed(all.disk_bytes / (1 << 20), 1).c_str(), report::fixed(all.seconds / jobs, 0).c_str(),
                jobs);
    if (count > 0) std::printf("the time rests on: %s\n", cost.rests_on.c_str());
}

void run_sweep(const Options& options) {
    const sweep::SweepConfig config = load(options);
    const sweep::Shard shard = sweep::parse_shard(options.shard);
    std::vector<sweep::PlannedRun> runs = sweep::plan(config, options.sweep);
    std::vector<RunConfig> configs = read_runs(config, runs);
    const int jobs = options.jobs > 0 ? options.jobs : std::max(1, static_cast<int>(options.gpus.size()));
    if (!options.gpus.empty() && jobs > static_cast<int>(options.gpus.size()))
        throw InputError("--jobs " + std::to_string(jobs) + ": there are " + std::to_string(options.gpus.size()) +
                         " --gpus, and each runs one");
    const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / jobs);
    if (options.dry_run) {
        std::vector<bool> wanted;
        for (std::size_t i = 0; i < runs.size(); ++i) {
            wanted.push_back(shard.has(runs[i], i, config.unit()));
            if (!runs[i].settings.contains("threads")) configs[i].threads = threads;
        }
        const std::string path = (std::filesystem::path(config.runs) / config.name).string();
        return print_plan(path, runs, configs, wanted, expected_shares(config, runs), jobs);
    }
    sweep::Folder folder(config, std::move(runs));
    const sweep::Tally tally = sweep::execute(folder, {.config = config.config,
                                                       .jobs = jobs,
                                                       .threads = threads,
                                                       .gpus = options.gpus,
                                                       .shard = shard,
                                                       .unit = config.unit()});
    std::string stopped;
    if (!config.halving.rungs.empty())
        stopped = ", " + std::to_string(tally.stopped) + " stopped by halving at " + Json(config.halving.rungs).dump();
    std::printf("%s/results.csv: %d done, %d diverged, %d failed, %d skipped%s, %d not finished\n",
                folder.path().c_str(), tally.done, tally.diverged, tally.failed, tally.skipped, stopped.c_str(),
                tally.unfinished);
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
    app.add_flag("--dry-run", options->dry_run,
                 "list the runs, their work, disk and time (from a few steps), and stop");
    return [options] { run_sweep(*options); };
}

}  // namespace steepest::cli
