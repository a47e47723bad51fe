// `steepest train CONFIG`: a run, or with --dry-run what it would be.
#include "cli/run_arguments.h"
#include "cli/training.h"
#include "report/table.h"
#include "train/trainer.h"

#include <cstdio>
#include <limits>
#include <memory>

namespace steepest::cli {

namespace {

struct Options {
    ConfigArguments config;
    bool resume = false, overwrite = false, dry_run = false, quiet = false;
    std::int64_t stop_at = std::numeric_limits<std::int64_t>::max();
};

std::string mebibytes(std::int64_t bytes) { return report::fixed(static_cast<double>(bytes) / (1 << 20), 1); }

std::string evaluations(const Oracle& oracle) {
    const int losses = oracle.losses_per_step();
    return losses > 0 ? "losses (" + std::to_string(losses) + " a step, without gradients)"
                      : "gradients (" + std::to_string(oracle.gradients_per_step()) + " a step)";
}

void print_plan(const RunConfig& config, Stepper& stepper) {
    report::Table groups({{"parameter", "", report::Align::left},
                          {"shape", "", report::Align::left},
                          {"group", "", report::Align::left},
                          {"rule", "", report::Align::left},
                          {"learning rate"},
                          {"decay"},
                          {"scale"},
                          {"state", "KiB"}});
    for (const AssignmentRow& row : stepper.optimizer().assignments())
        groups.add({row.parameter, row.shape, row.group, row.formula, report::shortest(row.learning_rate),
                    report::shortest(row.weight_decay), report::fixed(row.scale, 4),
                    report::grouped(static_cast<double>(row.state_bytes) / 1024)});
    std::printf("%s\n", groups.text().c_str());

    report::Table memory({{"memory", "", report::Align::left}, {"", "MiB"}});
    std::int64_t total = 0;
    for (const MemoryLine& line : stepper.runner().memory()) {
        memory.add({line.what, mebibytes(line.bytes)});
        total += line.bytes;
    }
    memory.add({"total", mebibytes(total)});
    std::printf("%s\n", memory.text().c_str());

    std::printf("%s parameters; %s steps of %s tokens; a step is %s GFLOP of %s and %s GFLOP of optimizer\n",
                report::grouped(static_cast<double>(stepper.runner().parameters().count())).c_str(),
                report::grouped(static_cast<double>(config.total_steps())).c_str(),
                report::grouped(static_cast<double>(config.tokens_per_step())).c_str(),
                report::fixed(stepper.model_flops() * 1e-9, 2).c_str(), evaluations(stepper.oracle()).c_str(),
                report::fixed(stepper.optimizer_flops() * 1e-9, 3).c_str());
    std::printf("training:   %s\n", stepper.training_data().describe().c_str());
    if (const std::string validation = stepper.runner().task().describe_validation(); !validation.empty())
        std::printf("validation: %s\n", validation.c_str());
}

void dry_run(const RunConfig& config) {
    const std::unique_ptr<Communicator> comm = make_single();
    Trainer trainer(config, *comm);
    print_plan(config, trainer.stepper());
}

void train(const Options& options) {
    if (options.dry_run) return dry_run(options.config.load());
    run_training(
        options.config,
        {.resume = options.resume, .overwrite = options.overwrite, .quiet = options.quiet, .stop_at = options.stop_at});
}

}  // namespace

Action add_train(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    options->config.declare(app);
    auto* resume =
        app.add_flag("--resume", options->resume, "go on from the newest checkpoint; start if there is none");
    app.add_flag("--overwrite", options->overwrite, "delete the run of that name first")->excludes(resume);
    app.add_option("--stop-at", options->stop_at,
                   "stop after this step as after Ctrl-C, with a checkpoint; the schedule stays the whole run's")
        ->check(CLI::PositiveNumber)
        ->type_name("STEP");
    app.add_flag("--dry-run", options->dry_run, "print groups, memory and work a step, and stop");
    app.add_flag("--quiet", options->quiet, "print warnings and errors only");
    return [options] { train(*options); };
}

}  // namespace steepest::cli
