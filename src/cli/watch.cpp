// `steepest watch RUN|SWEEP`: a live run or a sweep in the terminal, or what changes as plain lines in a pipe. It only
// ever reads.
#include "cli/command.h"
#include "cli/screen.h"
#include "core/error.h"
#include "report/compare.h"
#include "report/live_run.h"
#include "sweep/progress.h"
#include "train/interrupt.h"
#include "train/run_directory.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace steepest::cli {

namespace {

constexpr int kRefreshMilliseconds = 1000;

using report::LiveRun;

bool has_end(const report::RunRecord& run) { return run.status != report::RunStatus::unfinished; }

// Why nothing more will come; empty while something may.
std::string why_over(const LiveRun& live, const std::string& run) {
    if (has_end(live.record())) return status_text(live.record());
    if (writer_lives(run) == false)
        return "stopped without an end at step " + std::to_string(live.record().last_step) +
               ": its process has gone; steepest train " + run + " --resume goes on";
    return "";
}

void print_lines(LiveRun& live) {
    for (const report::LogLine& line : live.update())
        if (const std::string text = report::progress_line(line, live.record()); !text.empty())
            std::printf("%s\n", text.c_str());
    std::fflush(stdout);
}

void watch_in_pipe(LiveRun& live, const std::string& run, const InterruptGuard& interrupt) {
    while (!interrupt.requested()) {
        // Asked before the log is read: what the process wrote last must not be missed.
        const std::string over = why_over(live, run);
        print_lines(live);
        if (has_end(live.record())) return;
        if (!over.empty()) {
            std::printf("%s\n", over.c_str());
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(kRefreshMilliseconds));
    }
}

std::string view(const LiveRun& live, const std::string& run) {
    const TerminalLook look = terminal_look();
    std::string status = report::status_text(live.record());
    if (!has_end(live.record())) {
        const std::optional<bool> lives = writer_lives(run);
        status = !lives ? status : *lives ? "running" : status + ", its process has gone";
    }
    return report::live_view(live, status,
                             {.width = std::max(look.columns - 1, 40),
                              .height = std::max(look.rows - 1, 12),
                              .colour = look.colour,
                              .braille = look.braille});
}

void watch_on_terminal(LiveRun& live, const std::string& run, const InterruptGuard& interrupt) {
    std::string last;
    {
        const Screen screen;
        do {
            const std::string over = why_over(live, run);
            live.update();
            last = view(live, run);
            screen.draw(last + "q quits; the run goes on");
            if (!over.empty() || has_end(live.record())) break;
        } while (!screen.quit_within(kRefreshMilliseconds) && !interrupt.requested());
    }
    std::printf("%s%s\n", last.c_str(), why_over(live, run).c_str());
}

void watch_run(const std::string& path, bool terminal, const InterruptGuard& interrupt) {
    // A run that is just starting has its lock before its log. Nothing would ever come of any other folder.
    if (std::filesystem::is_directory(path) && !looks_like_run(path) && !writer_lives(path))
        throw InputError(path + ": neither a run nor a sweep is there");
    LiveRun live(path);
    terminal ? watch_on_terminal(live, path, interrupt) : watch_in_pipe(live, path, interrupt);
}

using Runs = std::vector<sweep::RunProgress>;

bool all_over(const Runs& runs) {
    return std::ranges::all_of(runs, [](const auto& run) { return sweep::over(run.state) && !run.running; });
}

void watch_sweep_on_terminal(sweep::ProgressReader& reader, const InterruptGuard& interrupt) {
    Runs runs;
    {
        const Screen screen;
        do {
            runs = reader.read();
            screen.draw(sweep::progress_text(runs, std::max(terminal_look().rows - 2, 10)) +
                        "\nq quits; the sweep goes on");
        } while (!all_over(runs) && !screen.quit_within(kRefreshMilliseconds) && !interrupt.requested());
    }
    std::printf("%s", (sweep::summary(runs) + "\n" + sweep::table(runs).text()).c_str());
}

// A line where a run's status changes.
void watch_sweep_in_pipe(sweep::ProgressReader& reader, const InterruptGuard& interrupt) {
    std::map<std::string, std::string> known;
    while (!interrupt.requested()) {
        const Runs runs = reader.read();
        for (const sweep::RunProgress& run : runs) {
            const std::string status(run.status());
            if (std::exchange(known[run.name], status) == status) continue;
            std::printf("%s  %s  step %lld/%lld%s\n", run.name.c_str(), status.c_str(),
                        static_cast<long long>(run.step), static_cast<long long>(run.steps),
                        run.note.empty() ? "" : ("  " + run.note).c_str());
        }
        std::fflush(stdout);
        if (all_over(runs)) {
            std::printf("%s\n", sweep::summary(runs).c_str());
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(kRefreshMilliseconds));
    }
}

void watch_sweep(const std::string& path, bool terminal, const InterruptGuard& interrupt) {
    const sweep::Folder folder = sweep::Folder::open(path);
    sweep::ProgressReader reader(folder);
    terminal ? watch_sweep_on_terminal(reader, interrupt) : watch_sweep_in_pipe(reader, interrupt);
}

}  // namespace

Action add_watch(CLI::App& app) {
    const auto path = std::make_shared<std::string>();
    app.add_option("RUN", *path, "the directory of a run or of a sweep")->required();
    return [path] {
        const InterruptGuard interrupt;
        const bool terminal = terminal_look().columns > 0;
        sweep::Folder::is_sweep(*path) ? watch_sweep(*path, terminal, interrupt)
                                       : watch_run(*path, terminal, interrupt);
    };
}

}  // namespace steepest::cli
