// `steepest watch RUN`: a live run in the terminal, or its log as plain lines in a pipe. It only ever reads.
#include "cli/command.h"
#include "cli/screen.h"
#include "core/error.h"
#include "report/compare.h"
#include "report/live_run.h"
#include "train/interrupt.h"
#include "train/run_directory.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>

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

}  // namespace

Action add_watch(CLI::App& app) {
    const auto run = std::make_shared<std::string>();
    app.add_option("RUN", *run, "a run directory")->required();
    return [run] {
        LiveRun live(*run);
        const InterruptGuard interrupt;
        if (terminal_look().columns > 0)
            watch_on_terminal(live, *run, interrupt);
        else
            watch_in_pipe(live, *run, interrupt);
    };
}

}  // namespace steepest::cli
