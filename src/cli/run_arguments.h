#pragma once
// Arguments that several subcommands share: a config with --set, or a finished run.
#include "cli/command.h"
#include "core/config.h"
#include "train/run_config.h"

#include <filesystem>
#include <string>
#include <vector>

namespace steepest::cli {

struct ConfigArguments {
    std::string config;
    std::vector<std::string> sets;

    void declare(CLI::App& app) {
        app.add_option("CONFIG", config,
                       "a JSON file, a run directory, or the name of an experiment (steepest list experiments)")
            ->required();
        app.add_option("--set", sets, "set one option, e.g. optimizer.groups.matrices.learning_rate=0.01; repeatable")
            ->type_name("KEY=VALUE")
            ->allow_extra_args(false);
    }
    // A run directory stands for the config in it.
    std::string path() const {
        const std::string inside = config + "/config.json";
        return std::filesystem::exists(inside) ? inside : config;
    }
    RunConfig load() const { return load_config<RunConfig>(path(), sets); }
};

struct RunArguments {
    std::string run, checkpoint;
    std::vector<std::string> sets;

    void declare(CLI::App& app) {
        app.add_option("RUN", run, "a run directory")->required();
        app.add_option("--checkpoint", checkpoint, "a checkpoint's folder; the newest of the run")->type_name("PATH");
        app.add_option("--set", sets, "change one option of the run's config; repeatable")
            ->type_name("KEY=VALUE")
            ->allow_extra_args(false);
    }
    // Throws InputError also if there is no such run.
    RunConfig load() const {
        const std::string config = run + "/config.json";
        if (!std::filesystem::exists(config)) throw InputError(run + ": no run is there: it has no config.json");
        return load_config<RunConfig>(config, sets);
    }
};

}  // namespace steepest::cli
