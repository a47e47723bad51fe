// `steepest export RUN...`: what logs say, for other programs.
#include "cli/command.h"
#include "core/error.h"
#include "core/file.h"
#include "report/log_table.h"
#include "report/script.h"
#include "train/event_file.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace steepest::cli {

namespace {

namespace fs = std::filesystem;

const report::Script kParquet = {"export_parquet.py", "pyarrow", "pip install pyarrow"};
const report::Script kWandb = {"export_wandb.py", "wandb", "pip install wandb"};

struct Options {
    std::vector<std::string> runs;
    std::string csv, parquet, tensorboard, wandb;
};

void write_csv(const std::vector<report::NamedLog>& logs, const std::string& path) {
    AtomicFile file(path);
    report::write_log_csv(logs, [&file](std::string_view text) { file.write(text); });
    file.commit();
}

// A folder a run, as TensorBoard wants them; names that are paths make folders in folders.
void write_events(const std::vector<report::NamedLog>& logs, const std::string& folder) {
    for (const report::NamedLog& log : logs) {
        const fs::path run = fs::path(folder) / fs::path(log.name).relative_path();
        std::error_code error;
        fs::create_directories(run, error);
        if (error) throw StorageError(run.string() + ": cannot make the folder: " + error.message());
        EventFile((run / "events.out.tfevents.steepest").string()).add_log(log.log);
    }
}

std::string as_json(const std::vector<report::NamedLog>& logs) {
    Json list = Json::array();
    for (const report::NamedLog& log : logs)
        list.push_back({{"name", log.name}, {"folder", log.folder}, {"log", log.log}});
    return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void export_logs(const Options& options) {
    if (options.csv.empty() && options.parquet.empty() && options.tensorboard.empty() && options.wandb.empty())
        throw InputError("export to what? Give --csv, --parquet, --tensorboard or --wandb");
    const std::vector<report::NamedLog> logs = report::find_logs(options.runs);
    if (!options.csv.empty()) write_csv(logs, options.csv);
    if (!options.parquet.empty()) {
        std::string csv;
        report::write_log_csv(logs, [&csv](std::string_view text) { csv += text; });
        report::run_script(kParquet, csv, options.parquet, {});
    }
    if (!options.tensorboard.empty()) write_events(logs, options.tensorboard);
    if (!options.wandb.empty()) report::run_script(kWandb, as_json(logs), options.wandb, {});
}

}  // namespace

Action add_export(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option("RUN", options->runs, "run directories, log files, or folders of runs such as a sweep")->required();
    app.add_option("--csv", options->csv, "a table: a row a training step or evaluation, a column a field")
        ->type_name("FILE");
    app.add_option("--parquet", options->parquet, "the same table as Parquet; needs pyarrow")->type_name("FILE");
    app.add_option("--tensorboard", options->tensorboard, "event files, a folder a run (training: log.tensorboard)")
        ->type_name("FOLDER");
    app.add_option("--wandb", options->wandb, "offline runs of Weights & Biases, for `wandb sync`; needs wandb")
        ->type_name("FOLDER");
    return [options] { export_logs(*options); };
}

}  // namespace steepest::cli
