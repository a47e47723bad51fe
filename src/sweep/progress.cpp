#include "sweep/progress.h"

#include "core/error.h"
#include "report/log_line.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

namespace steepest::sweep {

namespace {

constexpr std::int64_t kTail = 1 << 16;  // bytes: some hundred lines

std::string clock_text(double seconds) {
    if (!std::isfinite(seconds)) return "-";
    const auto s = static_cast<std::int64_t>(seconds + 0.5);
    const auto two = [](std::int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); };
    if (s >= 3600) return std::to_string(s / 3600) + ":" + two(s / 60 % 60) + ":" + two(s % 60);
    return std::to_string(s / 60) + ":" + two(s % 60);
}

// The end of a file, from the beginning of a line on.
std::string tail_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return "";
    const std::int64_t size = file.tellg(), begin = std::max<std::int64_t>(0, size - kTail);
    std::string text(static_cast<std::size_t>(size - begin), '\0');
    file.seekg(begin).read(text.data(), size - begin);
    text.resize(static_cast<std::size_t>(file.gcount()));
    return begin == 0 ? text : text.substr(text.find('\n') + 1);
}

bool pending(const RunProgress& run) { return run.running || !over(run.state); }

// Of one run at a time, over those that are under way.
double seconds_left(const std::vector<RunProgress>& runs) {
    double known = 0, left = 0;
    int count = 0, running = 0;
    for (const RunProgress& run : runs)
        if (std::isfinite(run.step_seconds)) known += run.step_seconds, ++count;
    for (const RunProgress& run : runs) {
        running += run.running;
        if (!pending(run)) continue;
        const double pace = std::isfinite(run.step_seconds) ? run.step_seconds : known / count;
        left += pace * static_cast<double>(run.steps - run.step);
    }
    return left / std::max(1, running);
}

// What is looked at first.
int urgency(const RunProgress& run) {
    if (run.running) return 0;
    if (run.state == State::failed || run.state == State::diverged) return 1;
    return pending(run) ? 3 : 2;
}

}  // namespace

void ProgressReader::read_tail(const PlannedRun& run, RunProgress& progress) {
    const std::string path = folder_.log_path(run);
    std::error_code none;
    const std::uintmax_t size = std::filesystem::file_size(path, none);
    Tail& known = tails_[run.name];
    if (none || size == 0) known = {};
    if (!none && size != known.size) {
        known = {.size = size, .values = {}};
        report::LogParser parser;
        const std::string text = tail_of(path);
        for (std::size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) try {
                const auto line = parser.parse(std::string_view(text).substr(at, end - at), path, 0);
                if (!line) continue;
                if (line->kind == report::LogLine::Kind::eval) known.values.validation = line->loss;
                if (line->kind != report::LogLine::Kind::train) continue;
                known.values.step = line->step, known.values.loss = line->loss;
                known.values.step_seconds = line->wall_s / static_cast<double>(line->step);
            } catch (const InputError&) {  // `compare` says what is wrong with a log
            }
    }
    progress.step = known.values.step, progress.loss = known.values.loss;
    progress.validation = known.values.validation, progress.step_seconds = known.values.step_seconds;
}

std::vector<RunProgress> ProgressReader::read() {
    const std::vector<Standing> standings = folder_.standings();
    const std::vector<State> states = folder_.states();
    std::vector<RunProgress> all;
    for (std::size_t i = 0; i < folder_.runs().size(); ++i) {
        const PlannedRun& run = folder_.runs()[i];
        RunProgress& progress = all.emplace_back();
        progress.name = run.name, progress.state = states[i], progress.steps = run.steps;
        read_tail(run, progress);
        if (pending(progress)) progress.running = !Lock::take(folder_.lock_path(run));
        if (states[i] == State::failed) progress.note = folder_.failure(run);
        if (states[i] == State::stopped) progress.note = "at rung " + std::to_string(standings[i].rung + 1);
    }
    return all;
}

std::string summary(const std::vector<RunProgress>& runs) {
    std::string text;
    for (const std::string_view status :
         {"running", "waiting", "unfinished", "done", "stopped", "diverged", "failed", "skipped"})
        if (const auto count = std::ranges::count(runs, status, &RunProgress::status))
            text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(status);
    const double left = seconds_left(runs);
    return left > 0 ? text + "; about " + clock_text(left) + " left" : text;
}

report::Table table(const std::vector<RunProgress>& runs) {
    report::Table table({{"run", "", report::Align::left},
                         {"status", "", report::Align::left},
                         {"step"},
                         {"of"},
                         {"loss"},
                         {"validation"},
                         {"left"},
                         {"", "", report::Align::left}});
    for (const RunProgress& run : runs)
        table.add({run.name, std::string(run.status()), std::to_string(run.step), std::to_string(run.steps),
                   report::fixed(run.loss, 4), report::fixed(run.validation, 4),
                   run.running ? clock_text(run.seconds_left()) : "-", run.note});
    return table;
}

std::string progress_text(const std::vector<RunProgress>& runs, int lines) {
    constexpr int kFrame = 3;  // summary, header and rule
    const std::size_t rows = static_cast<std::size_t>(std::max(1, lines - kFrame));
    if (runs.size() <= rows) return summary(runs) + "\n" + table(runs).text();
    std::vector<std::size_t> order(runs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return urgency(runs[i]); });
    order.resize(std::max<std::size_t>(1, rows - 1));
    std::ranges::sort(order);
    std::vector<RunProgress> shown;
    for (const std::size_t i : order) shown.push_back(runs[i]);
    return summary(runs) + "\n" + table(shown).text() + "... and " + std::to_string(runs.size() - shown.size()) +
           " more runs\n";
}

}  // namespace steepest::sweep
