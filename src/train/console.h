#pragma once
// What a person sees of a run: on a terminal one live line, in a pipe a plain line now and then; messages above it, and
// everything in train.log too. An object, not a global: several runs in one process each have their own.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <spdlog/logger.h>
#include <string>

namespace steepest {

struct ConsoleOptions {
    std::string name;      // of the run
    std::string log_path;  // train.log, appended to; empty for none
    int descriptor = 1;
    bool quiet = false;  // warnings and errors alone; train.log is not affected
    // Found out where not given: whether the descriptor is a terminal, its columns at each redraw, and colours (a
    // terminal, no NO_COLOR in the environment, TERM other than "dumb").
    std::optional<bool> terminal = {}, colors = {};
    std::optional<int> width = {};
    std::function<double()> clock = {};  // monotonic seconds
};

// Where training stands; totals since step 0.
struct Progress {
    std::int64_t step = 0, tokens = 0;
    double loss = 0;           // may be NaN
    double train_seconds = 0;  // without evaluation and checkpoints
    double wall_seconds = 0;
};

class Console {
public:
    // Throws StorageError if train.log cannot be opened.
    explicit Console(ConsoleOptions options);
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;
    ~Console();

    // For messages from anywhere; safe from several threads. Lives as long as the console.
    spdlog::logger& logger();

    // `from` is where a resumed run goes on. Rates are of this process's own steps.
    void start(std::int64_t total_steps, const Progress& from = {});
    // After every step. On a terminal the live line, at most ten times a second and never wider than the terminal;
    // in a pipe about 20 lines a run. train.log gets those lines either way.
    void progress(const Progress& now);
    // A line of its own everywhere; the live line shows the last one too.
    void evaluation(std::int64_t step, const std::string& split, double loss);
    // Takes the live line away. start() may be called again.
    void finish();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// For people: 950, 12.3k, 1.20M; and 0:07, 12:34, 1:02:03, 3d 04:05 from seconds.
std::string short_number(double value);
std::string short_duration(double seconds);

}  // namespace steepest
