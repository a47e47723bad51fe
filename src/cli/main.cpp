// The command line: a table of subcommands, and the one place where an error becomes an exit code.
#include "cli/command.h"
#include "core/build_config.h"
#include "core/error.h"
#include "core/suggest.h"

#include <cstdio>
#include <new>
#include <string>
#include <vector>

namespace {

using steepest::Exit;

struct Command {
    const char *name, *help;
    steepest::cli::Action (*add)(CLI::App&);
};

constexpr Command kCommands[] = {
    {"train", "train a model as a config says, into a run directory", steepest::cli::add_train},
    {"replay", "train a run again and say whether it is the same", steepest::cli::add_replay},
    {"sweep", "train all runs of a sweep, side by side, restartably", steepest::cli::add_sweep},
    {"watch", "follow a live run or sweep in the terminal", steepest::cli::add_watch},
    {"compare", "compare runs: table, CSV, picture", steepest::cli::add_compare},
    {"eval", "validation loss of a run's last checkpoint", steepest::cli::add_eval},
    {"sample", "let a run's last checkpoint continue a text", steepest::cli::add_sample},
    {"export", "logs as CSV, Parquet, TensorBoard event files or offline runs of Weights & Biases",
     steepest::cli::add_export},
    {"bench", "time a training step, the ops or the optimizers", steepest::cli::add_bench},
    {"data", "look into token files and texts", steepest::cli::add_data},
    {"config", "print a config with every base merged and every default filled in", steepest::cli::add_config},
    {"schema", "print the JSON Schema of configs, for editors", steepest::cli::add_schema},
    {"list", "list optimizers, models, experiments, stages or runs", steepest::cli::add_list},
    {"info", "what this binary is and what it runs on", steepest::cli::add_info},
};

int fail(Exit code, const std::string& what) {
    std::fprintf(stderr, "steepest: %s\n", what.c_str());
    return static_cast<int>(code);
}

// What the first argument names, if it is meant as a subcommand and is none: CLI11 would only say that one is missing.
std::string unknown_command(int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return "";
    std::vector<std::string> names;
    for (const Command& command : kCommands) {
        if (argv[1] == std::string_view(command.name)) return "";
        names.emplace_back(command.name);
    }
    return "no such command: " + steepest::not_one_of(argv[1], names);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("steepest: GPT-2 pretraining with pluggable optimizers", "steepest");
    app.set_version_flag("--version", std::string("steepest ") + std::string(steepest::kVersion) + " (" +
                                          std::string(steepest::kCommit) + ")");
    app.require_subcommand(1);
    app.set_help_all_flag("--help-all", "help of every subcommand");

    steepest::cli::Action chosen;
    for (const Command& command : kCommands) {
        CLI::App* sub = app.add_subcommand(command.name, command.help);
        sub->callback([action = command.add(*sub), &chosen] { chosen = action; });
    }
    if (const std::string unknown = unknown_command(argc, argv); !unknown.empty())
        return fail(Exit::bad_input, unknown);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        // CLI11 has codes of its own; to our users a wrong argument is bad input like any other.
        return app.exit(e) == 0 ? static_cast<int>(Exit::done) : static_cast<int>(Exit::bad_input);
    }
    try {
        chosen();
        return static_cast<int>(Exit::done);
    } catch (const steepest::Error& e) {
        return fail(e.code(), e.what());
    } catch (const std::bad_alloc&) {
        return fail(Exit::device, "out of memory");
    } catch (const std::exception& e) {
        return fail(Exit::internal, std::string("internal error: ") + e.what());
    }
}
