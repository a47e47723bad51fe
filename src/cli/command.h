#pragma once
// A subcommand: declares its arguments on a CLI11 app and hands back what to do once they are parsed.
#include <CLI/CLI.hpp>
#include <functional>

namespace steepest::cli {

// Errors are thrown (core/error.h); returning is success.
using Action = std::function<void()>;

// One file each; main.cpp is the table of them.
Action add_train(CLI::App& app);
Action add_replay(CLI::App& app);
Action add_sweep(CLI::App& app);
Action add_watch(CLI::App& app);
Action add_compare(CLI::App& app);
Action add_eval(CLI::App& app);
Action add_sample(CLI::App& app);
Action add_export(CLI::App& app);
Action add_bench(CLI::App& app);
Action add_data(CLI::App& app);
Action add_config(CLI::App& app);
Action add_schema(CLI::App& app);
Action add_list(CLI::App& app);
Action add_info(CLI::App& app);

}  // namespace steepest::cli
