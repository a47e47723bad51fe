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
    text_ = write_config(config).dump(4) + "\n";
    const std::string plan = plan_text(runs_);
    // The plan makes a folder a sweep, so a new one gets it last; where it grows, whoever opens it in between must find
    // a plan of all the runs that sweep.json has.
    if (!is_sweep(path_)) {
        write_file(sweep_path(), text_);
        write_file(plan_path(), plan);
    } else if (!is_current() || read_file(plan_path()) != plan) {
        check_grown_from(open(path_));
        write_file(plan_path(), plan);
        write_file(sweep_path(), text_);
    }
}

void Folder::check_grown_from(const Folder& old) const {
    const auto refuse = [&](const std::string& why) {
        throw InputError(sweep_path() + ": another sweep has this folder: " + why +
                         "; give this one another name, or delete that one");
    };
    if (old.config_.config != config_.config)
        refuse("its config is \"" + old.config_.config + "\", not \"" + config_.config + "\"");
    if (write_config(old.config_.halving) != write_config(config_.halving) ||
        (!config_.halving.rungs.empty() && old.runs_.size() != runs_.size()))
        refuse("with halving, no run can be added and no rung moved");
    std::map<std::string, const PlannedRun*> now;
    for (const PlannedRun& run : runs_) now[run.name] = &run;
    for (const PlannedRun& was : old.runs_) {
        const auto at = now.find(was.name);
        if (at == now.end()) refuse("it has a run \"" + was.name + "\", and this one has not");
        const PlannedRun& run = *at->second;
        if (run.settings != was.settings)
            refuse("its run \"" + was.name + "\" has other options: " + Json(was.settings).dump() + ", not " +
                   Json(run.settings).dump());
        if (run.steps != was.steps || run.rungs != was.rungs)
            refuse("its run \"" + was.name + "\" takes " + std::to_string(was.steps) + " steps, not " +
                   std::to_string(run.steps));
    }
}

bool Folder::is_current() const { return read_file(sweep_path()) == text_; }

bool Folder::is_sweep(const std::string& path) { return exists(path + "/.sweep/plan.json"); }

Folder Folder::open(const std::string& path) {
    const std::string file = path + "/sweep.json";
    Folder folder(path, read_config<SweepConfig>(parse_json(read_file(file), file), file));
    folder.runs_ = plan(folder.config_, file), folder.readings_.resize(folder.runs_.size());
    const std::string known = folder.plan_path();
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
    return passed_over(run) ? State::skipped : State::waiting;
}

bool Folder::passed_over(const PlannedRun& run) const {
    if (run.first_seed || config_.unit() == SweepConfig::Unit::run) return false;
    const auto first = [&](const PlannedRun& other) { return other.first_seed && other.point == run.point; };
    const PlannedRun& own = *std::ranges::find_if(runs_, first);
    if (config_.stop_diverged && own_state(own) == State::diverged) return true;
    if (config_.seeds_for_best == 0) return false;
    const double loss = final_loss(own);
    std::int64_t better = 0;
    for (const PlannedRun& other : runs_) {
        if (!other.first_seed || other.arm_index != run.arm_index) continue;
        if (!over(own_state(other))) return false;
        const double its = final_loss(other);
        better += its < loss || (its == loss && other.point < run.point);
    }
    return loss == kNever || better >= config_.seeds_for_best;
}

double Folder::final_loss(const PlannedRun& run) const {
    if (own_state(run) != State::done) return kNever;
    const double loss = record(run)->final_loss();
    return std::isfinite(loss) ? loss : kNever;
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
