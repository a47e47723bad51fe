#include "sweep/folder.h"

#include "core/file.h"
#include "report/run_record.h"
#include "report/table.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/file.h>
#include <unistd.h>

namespace steepest::sweep {

namespace fs = std::filesystem;

namespace {

// RFC 4180.
std::string cell(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == text.npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string line(const std::vector<std::string>& cells) {
    std::string text;
    for (const std::string& c : cells) text += (text.empty() ? "" : ",") + cell(c);
    return text + "\n";
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

bool exists(const std::string& path) {
    std::error_code none;
    return fs::exists(path, none);
}

}  // namespace

std::string_view state_name(State state) {
    constexpr std::string_view kNames[] = {"waiting", "unfinished", "done", "diverged", "failed", "skipped"};
    return kNames[static_cast<int>(state)];
}

std::optional<Lock> Lock::take(const std::string& path, bool wait) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw StorageError(path + ": cannot open: " + std::strerror(errno));
    Lock lock(descriptor);
    while (::flock(descriptor, wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return std::nullopt;
        if (errno != EINTR) throw StorageError(path + ": cannot lock: " + std::strerror(errno));
    }
    return lock;
}

Lock::~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Folder::Folder(const SweepConfig& config, std::vector<PlannedRun> runs)
    : path_((fs::path(config.runs) / config.name).string()),
      stop_diverged_(config.stop_diverged),
      runs_(std::move(runs)) {
    std::set<std::string> columns;
    for (const PlannedRun& run : runs_)
        for (const auto& [path, value] : run.varied) columns.insert(path);
    columns_.assign(columns.begin(), columns.end());

    std::error_code error;
    fs::create_directories(path_ + "/.sweep", error);
    if (error) throw StorageError(path_ + ": cannot make the sweep's folder: " + error.message());
    const std::optional<Lock> lock = Lock::take(path_ + "/.sweep/sweep.lock", true);
    const std::string file = path_ + "/sweep.json", text = write_config(config).dump(4) + "\n";
    if (!exists(file))
        write_file(file, text);
    else if (read_file(file) != text)
        throw InputError(file + ": another sweep has this folder; give this one another name, or delete that one");
}

State Folder::state(const PlannedRun& run) const {
    if (exists(inner(run, ".failed"))) return State::failed;
    const std::string log = path_ + "/" + run.name + "/log.jsonl";
    std::error_code none;
    if (fs::file_size(log, none) > 0 && !none) {
        report::RunStatus status = report::RunStatus::unfinished;
        try {
            status = report::read_run(log, {.most_train_rows = 0}).status;
        } catch (const InputError&) {  // killed in its first line; resuming says what is wrong, if anything is
        }
        if (status == report::RunStatus::done) return State::done;
        if (status == report::RunStatus::diverged) return State::diverged;
        return State::unfinished;
    }
    if (stop_diverged_ && !run.first_seed)
        for (const PlannedRun& other : runs_)
            if (other.point == run.point && other.first_seed && state(other) == State::diverged) return State::skipped;
    return State::waiting;
}

std::int64_t Folder::last_step(const PlannedRun& run) const {
    std::ifstream log(path_ + "/" + run.name + "/log.jsonl", std::ios::binary | std::ios::ate);
    if (!log) return 0;
    const std::int64_t size = log.tellg(), begin = std::max<std::int64_t>(0, size - 4096);
    std::string tail(static_cast<std::size_t>(size - begin), '\0');
    log.seekg(begin);
    log.read(tail.data(), size - begin);
    const std::size_t key = tail.rfind("\"step\":");
    return key == tail.npos ? 0 : std::atoll(tail.c_str() + key + 7);
}

void Folder::set_failed(const PlannedRun& run, const std::string& why) const {
    write_file(inner(run, ".failed"), why + "\n");
}
void Folder::clear_failed(const PlannedRun& run) const { ::unlink(inner(run, ".failed").c_str()); }
std::string Folder::failure(const PlannedRun& run) const {
    std::string text = exists(inner(run, ".failed")) ? read_file(inner(run, ".failed")) : "";
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

Folder::Row Folder::row(const PlannedRun& run) const {
    const State now = state(run);
    std::vector<std::string> cells{run.name, run.arm};
    for (const std::string& column : columns_)
        cells.push_back(run.varied.contains(column) ? text_of(run.varied.at(column)) : "");
    cells.push_back(std::to_string(run.seed));
    cells.emplace_back(state_name(now));
    if (!finished(now)) {
        cells.insert(cells.end(), {"", "", "", "", "", "", failure(run)});
        return {line(cells), line({run.name, "", ""}), false};
    }
    const report::RunRecord record = report::read_run(path_ + "/" + run.name, {.most_train_rows = 0});
    const report::Curve& eval = record.eval;
    const auto last = [&](const auto& column) { return static_cast<double>(column.empty() ? 0 : column.back()); };
    cells.insert(cells.end(), {std::to_string(record.last_step), report::shortest(last(eval.tokens)),
                               report::shortest(last(eval.gradients)), report::shortest(last(eval.flops)),
                               report::shortest(record.final_loss()), report::shortest(record.best_loss()), ""});
    return {line(cells),
            line({run.name, report::shortest(eval.seconds.empty() ? std::nan("") : eval.seconds.back()),
                  report::shortest(record.step_ms_median)}),
            true};
}

void Folder::write_results() {
    // Read and written under one lock: of two shards that end together, the second has seen the first.
    const std::optional<Lock> lock = Lock::take(path_ + "/.sweep/results.lock", true);
    std::vector<std::string> header{"run", "arm"};
    header.insert(header.end(), columns_.begin(), columns_.end());
    header.insert(header.end(),
                  {"seed", "status", "steps", "tokens", "gradients", "flops", "final_loss", "best_loss", "error"});
    std::string results = line(header), times = line({"run", "seconds", "step_ms_median"});
    for (const PlannedRun& run : runs_) {
        auto known = finished_.find(run.name);
        if (known == finished_.end()) {
            Row fresh = row(run);
            if (!fresh.finished) {
                results += fresh.results, times += fresh.times;
                continue;
            }
            known = finished_.emplace(run.name, std::move(fresh)).first;
        }
        results += known->second.results, times += known->second.times;
    }
    write_file(path_ + "/results.csv", results);
    write_file(path_ + "/times.csv", times);
}

}  // namespace steepest::sweep
