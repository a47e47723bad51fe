#include "sweep/folder.h"

#include "core/file.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unistd.h>

namespace steepest::sweep {

namespace fs = std::filesystem;

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

bool exists(const std::string& path) {
    std::error_code none;
    return fs::exists(path, none);
}

// What the runs' configs make of the plan: whoever only looks has no need to read them.
std::string plan_text(const std::vector<PlannedRun>& runs) {
    Json plan = Json::object();
    for (const PlannedRun& run : runs) plan[run.name] = {{"steps", run.steps}, {"rungs", run.rungs}};
    return plan.dump(4) + "\n";
}

}  // namespace

std::string_view state_name(State state) {
    constexpr std::string_view kNames[] = {"waiting", "unfinished", "done", "diverged", "failed", "skipped", "stopped"};
    return kNames[static_cast<int>(state)];
}

Folder::Folder(const SweepConfig& config, std::vector<PlannedRun> runs)
    : Folder((fs::path(config.runs) / config.name).string(), config) {
    runs_ = std::move(runs), readings_.resize(runs_.size());
    std::error_code error;
    fs::create_directories(inner(""), error);
    if (error) throw StorageError(path_ + ": cannot make the sweep's folder: " + error.message());
    const std::optional<Lock> lock = Lock::take(inner("sweep.lock"), true);
    for (const auto& [file, text] : {std::pair{path_ + "/sweep.json", write_config(config).dump(4) + "\n"},
                                     std::pair{inner("plan.json"), plan_text(runs_)}}) {
        if (!exists(file))
            write_file(file, text);
        else if (read_file(file) != text)
            throw InputError(file + ": another sweep has this folder; give this one another name, or delete that one");
    }
}

bool Folder::is_sweep(const std::string& path) { return exists(path + "/.sweep/plan.json"); }

Folder Folder::open(const std::string& path) {
    const std::string file = path + "/sweep.json";
    Folder folder(path, read_config<SweepConfig>(parse_json(read_file(file), file), file));
    folder.runs_ = plan(folder.config_, file), folder.readings_.resize(folder.runs_.size());
    const std::string known = folder.inner("plan.json");
    const Json json = parse_json(read_file(known), known);
    for (PlannedRun& run : folder.runs_) try {
            const Json& entry = json.at(run.name);
            entry.at("steps").get_to(run.steps), entry.at("rungs").get_to(run.rungs);
        } catch (const Json::exception&) {
            throw InputError(known + ": does not say the steps of run \"" + run.name + "\"");
        }
    return folder;
}

const report::RunRecord* Folder::record(const PlannedRun& run) const {
    Reading& reading = readings_[index(run)];
    std::error_code no_log;
    const std::string log = log_path(run);
    const auto changed = fs::last_write_time(log, no_log);
    const std::uintmax_t size = no_log ? 0 : fs::file_size(log, no_log);
    if (no_log || size == 0) {
        reading = {};
    } else if (size != reading.size || changed != reading.changed) {
        reading = {size, changed, std::nullopt};
        try {
            reading.record = report::read_run(log, {.most_train_rows = 0});
        } catch (const InputError&) {  // killed in its first line; resuming says what is wrong, if anything is
        }
    }
    return reading.record ? &*reading.record : nullptr;
}

State Folder::own_state(const PlannedRun& run) const {
    if (exists(inner(run.name + ".failed"))) return State::failed;
    const report::RunRecord* log = record(run);
    if (log && log->status == report::RunStatus::done) return State::done;
    if (log && log->status == report::RunStatus::diverged) return State::diverged;
    if (readings_[index(run)].size > 0) return State::unfinished;
    if (config_.stop_diverged && !run.first_seed)
        for (const PlannedRun& other : runs_)
            if (other.point == run.point && other.first_seed && own_state(other) == State::diverged)
                return State::skipped;
    return State::waiting;
}

State Folder::state_of(const PlannedRun& run, const Standing& standing) const {
    // A run that got there lost; one that did not has its own reason.
    if (standing.stopped && std::isfinite(rung_loss(run, standing.rung).value_or(kNever))) return State::stopped;
    return own_state(run);
}

std::optional<double> Folder::rung_loss(const PlannedRun& run, std::size_t rung) const {
    const std::pair key{index(run), rung};
    if (const auto known = rung_losses_.find(key); known != rung_losses_.end()) return known->second;
    if (const report::RunRecord* log = record(run)) {
        const auto at = std::ranges::find(log->eval.step, run.rungs[rung]);
        if (at != log->eval.step.end()) {
            const double loss = log->eval.loss[static_cast<std::size_t>(at - log->eval.step.begin())];
            return rung_losses_[key] = std::isfinite(loss) ? loss : kNever;
        }
    }
    return over(own_state(run)) ? std::optional(kNever) : std::nullopt;
}

std::vector<Standing> Folder::standings() const {
    return sweep::standings(runs_, config_.halving,
                            [&](std::size_t run, std::size_t rung) { return rung_loss(runs_[run], rung); });
}

std::vector<State> Folder::states() const {
    const std::vector<Standing> standing = standings();
    std::vector<State> states;
    for (std::size_t i = 0; i < runs_.size(); ++i) states.push_back(state_of(runs_[i], standing[i]));
    return states;
}

void Folder::set_failed(const PlannedRun& run, const std::string& why) const {
    write_file(inner(run.name + ".failed"), why + "\n");
}
void Folder::clear_failed(const PlannedRun& run) const { ::unlink(inner(run.name + ".failed").c_str()); }
std::string Folder::failure(const PlannedRun& run) const {
    const std::string file = inner(run.name + ".failed");
    std::string text = exists(file) ? read_file(file) : "";
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

}  // namespace steepest::sweep
