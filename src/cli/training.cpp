#include "cli/training.h"

#include "cli/backend.h"
#include "train/trainer.h"

#include <csignal>
#include <memory>
#include <optional>

namespace steepest::cli {

void run_training(const ConfigArguments& arguments, const TrainingRequest& request) {
    const RunConfig config = arguments.load();
    const std::unique_ptr<Communicator> comm = make_single();
    std::optional<Backend> backend;  // outlives what lies in its memory
    Trainer trainer(config, *comm);
    if (request.watcher) trainer.watch(request.watcher);

    // Whoever watched has gone, or a file may not grow past a limit: write() says so too, and the one does not matter
    // here while the other is a full disk.
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    // Before the run's folder is made: a device that is not there must leave nothing behind.
    backend.emplace(config);
    trainer.stepper().runner().require_memory(backend->device());
    RunDirectory directory({.runs = config.runs,
                            .name = config.name,
                            .config_path = arguments.path(),
                            .seed = config.seed,
                            .resume = request.resume,
                            .overwrite = request.overwrite});
    Console console({.name = directory.name(), .log_path = directory.train_log_path(), .quiet = request.quiet});
    console.logger().info("{}", backend->describe());
    if (const std::string& why = backend->why_no_gpu(); !why.empty()) console.logger().info("no GPU: {}", why);
    arguments.restore_library_choices(backend->device(), console.logger());
    trainer.run(backend->device(), backend->describe(), directory, console, request.stop_at);
}

}  // namespace steepest::cli
