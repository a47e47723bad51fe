// `steepest replay RUN`: trains a run again and says whether it is the same, line by line of its log.
#include "cli/training.h"
#include "core/build_config.h"
#include "core/error.h"
#include "train/replay_check.h"
#include "train/run_directory.h"

#include <cstdio>
#include <memory>

namespace steepest::cli {

namespace {

struct Options {
    std::string run, against;
    std::vector<std::string> sets;
    bool quiet = false;
};

// Same config, same bytes: on the same build, that is.
void warn_of_other_build(const std::string& run) {
    const std::string path = run + "/manifest.json";
    if (!std::filesystem::exists(path)) {
        std::fprintf(stderr, "warning: %s has no manifest: nobody knows which build made it\n", run.c_str());
        return;
    }
    const Json manifest = parse_json(read_file(path), path);
    std::string differing;
    const auto look = [&](const char* key, std::string_view mine) {
        const std::string theirs = manifest.value(key, "unknown");
        if (theirs != mine) differing += std::string("\n  ") + key + ": " + theirs + ", now " + std::string(mine);
    };
    look("commit", kCommit), look("build", kBuildType), look("compiler", kCompiler);
    if (!differing.empty())
        std::fprintf(stderr, "warning: another build made %s; rounding may differ%s\n", run.c_str(), differing.c_str());
}

void report(const ReplayCheck& check, const std::string& run, const std::string& replay, bool whole) {
    std::printf("%s is %s: %lld lines compared up to step %lld, none differ%s\n", replay.c_str(), run.c_str(),
                static_cast<long long>(check.lines_compared()), static_cast<long long>(check.last_step()),
                whole ? "" : (" (the log of " + run + " ends there, unfinished)").c_str());
}

// True if the original's log has an end.
bool train_and_compare(const Options& options, const ConfigArguments& arguments, ReplayCheck& check) {
    const auto watcher = [&check](const Json& line) { check.take(line); };
    try {
        run_training(arguments, {.quiet = options.quiet, .watcher = watcher});
    } catch (const OriginalEnded&) {
        return false;
    } catch (const DivergedError&) {
        // As the original did, or finish() says what it did instead.
    }
    check.finish();
    return true;
}

bool compare_logs(const std::string& other, ReplayCheck& check) {
    try {
        check.take_log(other + "/log.jsonl");
    } catch (const OriginalEnded&) {
        return false;
    }
    return true;
}

void replay(const Options& options) {
    const std::string run = std::filesystem::path(options.run + "/").lexically_normal().parent_path().string();
    if (!options.against.empty()) {
        ReplayCheck check(run, options.against);
        const bool whole = compare_logs(options.against, check);
        return report(check, run, options.against, whole);
    }
    const ConfigArguments arguments{run, options.sets};
    const RunConfig config = RunArguments{run, "", options.sets}.load();
    const std::string path = run_path({.runs = config.runs, .name = config.name, .config_path = arguments.path()});
    ReplayCheck check(run, path);
    warn_of_other_build(run);
    const bool whole = train_and_compare(options, arguments, check);
    report(check, run, path, whole);
}

}  // namespace

Action add_replay(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option("RUN", options->run, "a run directory; the replay is written beside it, as RUN-replay-1")
        ->required();
    auto* set =
        app.add_option("--set", options->sets, "change one option of the run's config, such as threads=1; repeatable")
            ->type_name("KEY=VALUE")
            ->allow_extra_args(false);
    app.add_option("--against", options->against, "train nothing: compare with the log of this run")
        ->type_name("RUN")
        ->excludes(set);
    app.add_flag("--quiet", options->quiet, "print warnings, errors and the result only");
    return [options] { replay(*options); };
}

}  // namespace steepest::cli
