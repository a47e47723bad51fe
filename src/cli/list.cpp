// `steepest list KIND`: what can be named in a config, and what has been run.
#include "cli/command.h"
#include "core/error.h"
#include "core/presets.h"
#include "core/registry.h"
#include "core/suggest.h"
#include "optim/averaging.h"
#include "optim/estimator.h"
#include "optim/geometry.h"
#include "optim/scaling.h"
#include "optim/step_size.h"
#include "optim/transform.h"
#include "problems/synthetic.h"
#include "report/run_record.h"
#include "report/table.h"
#include "train/run_directory.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace steepest::cli {

namespace {

using report::Align;
using report::Table;

std::string presets(const std::string& folder) {
    Table table({{"name", "", Align::left}, {"description", "", Align::left}});
    for (const PresetInfo& preset : list_presets(folder)) table.add({preset.name, preset.description});
    return table.text();
}

template <class Interface>
std::string plugins() {
    Table table({{"type", "", Align::left}, {"what it is", "", Align::left}});
    for (const auto& [name, entry] : Registry<Interface>::all()) table.add({name, entry.help});
    return table.text();
}

std::string scalings() {
    std::string text;
    for (const std::string& formula : scaling_formulas()) text += formula + "\n";
    return text;
}

std::string status(const report::RunRecord& run) {
    switch (run.status) {
        case report::RunStatus::done:
            return "done";
        case report::RunStatus::diverged:
            return "diverged";
        case report::RunStatus::interrupted:
            return "interrupted";
        case report::RunStatus::unfinished:
            return "unfinished";
        case report::RunStatus::published:
            return "published";
    }
    return "";
}

std::string runs(const std::string& root) {
    std::vector<std::string> paths;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(root, error))
        if (looks_like_run(entry.path().string())) paths.push_back(entry.path().string());
    if (error) throw InputError(root + ": " + error.message());
    std::sort(paths.begin(), paths.end());
    Table table({{"run", "", Align::left},
                 {"optimizer", "", Align::left},
                 {"steps"},
                 {"validation loss"},
                 {"status", "", Align::left}});
    for (const report::RunRecord& run : report::read_runs(paths))
        table.add({run.name, run.optimizer(), report::grouped(static_cast<double>(run.last_step)),
                   report::fixed(run.final_loss(), 4), status(run)});
    return table.text();
}

std::string list(const std::string& kind, const std::string& root) {
    if (kind == "runs") return runs(root);
    if (kind == "estimators") return plugins<Estimator>();
    if (kind == "geometries") return plugins<Geometry>();
    if (kind == "transforms") return plugins<Transform>();
    if (kind == "step_sizes") return plugins<StepSize>();
    if (kind == "averagings") return plugins<Averaging>();
    if (kind == "problems") return plugins<SyntheticProblem>();
    if (kind == "scalings") return scalings();
    if (kind == "optimizers" || kind == "models" || kind == "experiments" || kind == "sweeps") return presets(kind);
    static const std::vector<std::string> kinds{"optimizers", "models",     "experiments", "estimators",
                                                "geometries", "transforms", "step_sizes",  "averagings",
                                                "scalings",   "problems",   "sweeps",      "runs"};
    throw InputError("cannot list: " + not_one_of(kind, kinds));
}

}  // namespace

Action add_list(CLI::App& app) {
    struct Options {
        std::string kind, runs = "runs";
    };
    const auto options = std::make_shared<Options>();
    app.add_option("KIND", options->kind,
                   "optimizers, models, experiments, estimators, geometries, transforms, step_sizes, averagings, "
                   "scalings, problems, sweeps or runs")
        ->required();
    app.add_option("--runs", options->runs, "the folder of runs")->capture_default_str();
    return [options] { std::printf("%s", list(options->kind, options->runs).c_str()); };
}

}  // namespace steepest::cli
