#pragma once
// Arguments that several subcommands share: a config with --set, or a finished run.
#include "cli/command.h"
#include "core/config.h"
#include "core/file.h"
#include "core/library_choices.h"
#include "train/run_config.h"

#include <filesystem>
#include <spdlog/logger.h>
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
    // A replay multiplies its matrices as the run did: restores what its manifest holds of that.
    void restore_library_choices(Device device, spdlog::logger& logger) const {
        const std::filesystem::path manifest = std::filesystem::path(path()).parent_path() / "manifest.json";
        if (std::filesystem::path(path()).filename() != "config.json" || !std::filesystem::exists(manifest)) return;
        const Json json = parse_json(read_file(manifest.string()), manifest.string());
        const Json none = Json::object();
        const std::string why = steepest::restore_library_choices(device, json.value("library_choices", none));
        if (!why.empty()) logger.warn("products may be rounded otherwise than in {}: {}", manifest.string(), why);
    }
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
