#include "report/run_record.h"

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/suggest.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

namespace steepest::report {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLogName = "log.jsonl";

[[noreturn]] void fail_missing(const std::string& path) {
    std::vector<std::string> beside;
    std::error_code ignored;
    const fs::path parent = fs::path(path).parent_path();
    for (const auto& entry : fs::directory_iterator(parent.empty() ? "." : parent, ignored))
        if (fs::exists(entry.path() / kLogName, ignored)) beside.push_back((parent / entry.path().filename()).string());
    std::ranges::sort(beside);
    throw InputError(path + ": no such run directory or log file" + did_you_mean(path, beside));
}

fs::path log_of(const std::string& path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) fail_missing(path);
    if (!fs::is_directory(path, ignored)) return path;
    const fs::path log = fs::path(path) / kLogName;
    if (!fs::exists(log, ignored)) throw InputError(path + ": not a run directory: there is no " + kLogName + " in it");
    return log;
}

std::string name_of(const fs::path& log) {
    if (log.filename() != kLogName) return log.stem().string();
    return fs::weakly_canonical(log).parent_path().filename().string();
}

RunStatus status_of(const std::string& reason, const std::string& where) {
    if (reason == "done") return RunStatus::done;
    if (reason == "diverged") return RunStatus::diverged;
    if (reason == "interrupted") return RunStatus::interrupted;
    throw InputError(where + "\"reason\" is \"" + reason + "\"; expected done, diverged or interrupted");
}

std::string shortened(std::string_view text) {
    constexpr std::size_t kMost = 40;
    return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "...";
}

void take(const LogLine& line, const std::string& where, RunRecord& run) {
    const auto in_order = [&](const Curve& curve, const char* kind) {
        if (curve.empty() || line.step >= curve.step.back()) return;
        throw InputError(where + "step " + std::to_string(line.step) + " of " + kind + " comes after step " +
                         std::to_string(curve.step.back()) + ": the log is not one curve");
    };
    run.last_step = std::max(run.last_step, line.step);
    switch (line.kind) {
        case LogLine::Kind::train:
            in_order(run.train, "train");
            run.train.add(line);
            run.skipped_steps += line.skipped;
            run.step_ms.push_back(line.step_ms), run.optimizer_ms.push_back(line.optimizer_ms);
            break;
        case LogLine::Kind::eval:
            if (line.split != "validation") return;
            in_order(run.eval, "eval");
            run.eval.add(line);
            break;
        case LogLine::Kind::resume:
            ++run.resumes, run.status = RunStatus::unfinished;
            break;
        case LogLine::Kind::end:
            run.status = status_of(line.reason, where);
            break;
        case LogLine::Kind::start:
        case LogLine::Kind::other:
            break;
    }
}

void flatten(const Json& json, const std::string& pointer, std::vector<std::pair<std::string, std::string>>& out) {
    if (!json.is_object() || json.empty()) {
        out.emplace_back(pointer, json.dump());
        return;
    }
    for (const auto& [key, value] : json.items()) flatten(value, pointer_to(pointer, key), out);
}

}  // namespace

void Curve::add(const LogLine& line) {
    if (!empty() && step.back() == line.step) {
        step.pop_back(), tokens.pop_back(), gradients.pop_back();
        flops.pop_back(), seconds.pop_back(), wall.pop_back(), loss.pop_back();
    }
    step.push_back(line.step), tokens.push_back(line.tokens), gradients.push_back(line.gradients);
    flops.push_back(line.model_flops + line.optimizer_flops);
    seconds.push_back(line.train_s), wall.push_back(line.wall_s), loss.push_back(line.loss);
}

double RunRecord::final_loss() const { return eval.empty() ? kUnknown : eval.loss.back(); }

double RunRecord::best_loss() const {
    double best = kUnknown;
    for (const double loss : eval.loss)
        if (std::isfinite(loss) && !(loss >= best)) best = loss;
    return best;
}

double RunRecord::step_ms_median() const {
    std::vector<double> known;
    std::ranges::copy_if(step_ms, std::back_inserter(known), [](double ms) { return std::isfinite(ms); });
    if (known.empty()) return kUnknown;
    std::ranges::sort(known);
    const std::size_t middle = known.size() / 2;
    return known.size() % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

double RunRecord::optimizer_share() const {
    double optimizer = 0, all = 0;
    for (std::size_t i = 0; i < step_ms.size(); ++i) {
        if (!std::isfinite(step_ms[i]) || !std::isfinite(optimizer_ms[i])) continue;
        optimizer += optimizer_ms[i], all += step_ms[i];
    }
    return all > 0 ? optimizer / all : kUnknown;
}

RunRecord read_run(const std::string& path) {
    const fs::path log = log_of(path);
    RunRecord run;
    run.log_path = log.string(), run.name = name_of(log);

    const MappedFile file(run.log_path);
    std::string_view rest = file.text();
    if (rest.empty()) throw InputError(run.log_path + ": empty: the run has logged nothing");
    for (std::int64_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = rest.find('\n');
        const std::string_view text = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        const std::string where = run.log_path + ":" + std::to_string(number) + ": ";

        const auto line = parse_log_line(text, run.log_path, number);
        if (!line) {
            if (number == 1) throw InputError(where + "not a run log: not JSON: " + shortened(text));
            if (end != std::string_view::npos) throw InputError(where + "not JSON: " + shortened(text));
            run.partial_last_line = true;
            break;
        }
        if (number == 1) {
            if (line->kind != LogLine::Kind::start)
                throw InputError(where + "not a run log: its first line must be of kind \"start\"");
            run.start = line->start;
        }
        take(*line, where, run);
    }
    const fs::path config = log.parent_path() / "config.json";
    if (log.filename() == kLogName && fs::exists(config))
        flatten(parse_json(read_file(config.string()), config.string()), "", run.config);
    return run;
}

std::vector<RunRecord> read_runs(const std::vector<std::string>& paths) {
    std::vector<RunRecord> runs;
    std::vector<std::string> given;
    std::set<std::string> seen;
    for (const std::string& path : paths) {
        RunRecord run = read_run(path);
        if (!seen.insert(fs::weakly_canonical(run.log_path).string()).second) continue;
        runs.push_back(std::move(run)), given.push_back(path);
    }
    std::map<std::string, int> uses;
    for (const RunRecord& run : runs) ++uses[run.name];
    for (std::size_t i = 0; i < runs.size(); ++i)
        if (uses[runs[i].name] > 1) runs[i].name = given[i];
    return runs;
}

}  // namespace steepest::report
