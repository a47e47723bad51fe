#include "report/run_record.h"

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/suggest.h"
#include "report/published.h"
#include "report/record_builder.h"
#include "report/thinned.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fnmatch.h>
#include <map>
#include <set>
#include <thread>

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

std::string shortened(std::string_view text) {
    constexpr std::size_t kMost = 40;
    return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "...";
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

bool RunRecord::reconstruction() const {
    const auto found = std::ranges::find(config, "/optimizer/evidence", &std::pair<std::string, std::string>::first);
    return found != config.end() && found->second.starts_with("\"reconstruction");
}

double RunRecord::final_loss() const { return eval.empty() ? kUnknown : eval.loss.back(); }

double RunRecord::best_loss() const {
    double best = kUnknown;
    for (const double loss : eval.loss)
        if (std::isfinite(loss) && !(loss >= best)) best = loss;
    return best;
}

RunRecord read_run(const std::string& path, const ReadOptions& options) {
    const fs::path log = log_of(path);
    RunRecord run;
    run.log_path = log.string(), run.name = name_of(log);
    RecordBuilder builder(run, options.most_train_rows > 0);
    const auto where = [&](std::int64_t number) { return run.log_path + ":" + std::to_string(number) + ": "; };
    LogParser parser;

    const MappedFile file(run.log_path);
    std::string_view rest = file.text();
    if (rest.empty()) throw InputError(run.log_path + ": empty: the run has logged nothing");
    for (std::int64_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = rest.find('\n');
        const std::string_view text = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);

        const auto line = parser.parse(text, run.log_path, number);
        if (!line) {
            if (number == 1) throw InputError(where(number) + "not a run log: not JSON: " + shortened(text));
            if (end != std::string_view::npos) throw InputError(where(number) + "not JSON: " + shortened(text));
            run.partial_last_line = true;
            break;
        }
        if (number == 1 && line->kind != LogLine::Kind::start)
            throw InputError(where(number) + "not a run log: its first line must be of kind \"start\"");
        builder.take(*line, number);
    }
    builder.finish();
    run.train = thinned(std::move(run.train), options.most_train_rows);
    const fs::path config = log.parent_path() / "config.json";
    if (log.filename() == kLogName && fs::exists(config))
        flatten(parse_json(read_file(config.string()), config.string()), "", run.config);
    return run;
}

std::vector<std::string> find_runs(const std::string& path) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored) || fs::exists(fs::path(path) / kLogName, ignored)) return {path};
    std::vector<std::string> found;
    for (fs::recursive_directory_iterator at(path, ignored), end; at != end; at.increment(ignored)) {
        if (!at->is_directory(ignored) || !fs::exists(at->path() / kLogName, ignored)) continue;
        found.push_back(at->path().string());
        // What is below a run is its own.
        at.disable_recursion_pending();
    }
    // Numbers in names by value: lr_scale2 before lr_scale16.
    std::ranges::sort(
        found, [](const std::string& a, const std::string& b) { return ::strverscmp(a.c_str(), b.c_str()) < 0; });
    if (found.empty()) return {path};
    return found;
}

namespace {

struct Source {
    std::string path, pattern;  // of names of curves; empty: all
};

std::vector<Source> sources(const std::string& path) {
    std::error_code ignored;
    const std::size_t hash = path.rfind('#');
    if (hash != std::string::npos && !fs::exists(path, ignored) && fs::is_regular_file(path.substr(0, hash), ignored))
        return {{path.substr(0, hash), path.substr(hash + 1)}};
    std::vector<Source> found;
    for (std::string& run : find_runs(path)) found.push_back({std::move(run), ""});
    return found;
}

std::vector<RunRecord> read_source(const Source& source, const ReadOptions& options) {
    if (fs::is_directory(source.path) || !is_published(source.path)) {
        std::vector<RunRecord> one;
        one.push_back(read_run(source.path, options));
        return one;
    }
    std::vector<RunRecord> all = read_published(source.path, options);
    if (source.pattern.empty()) return all;
    std::vector<std::string> names;
    for (const RunRecord& run : all) names.push_back(run.name);
    std::erase_if(all,
                  [&](const RunRecord& run) { return ::fnmatch(source.pattern.c_str(), run.name.c_str(), 0) != 0; });
    if (all.empty())
        throw InputError(source.path + ": none of its " + std::to_string(names.size()) + " curves is called \"" +
                         source.pattern + "\"" + did_you_mean(source.pattern, names));
    return all;
}

}  // namespace

std::vector<RunRecord> read_runs(const std::vector<std::string>& paths, const ReadOptions& options) {
    std::vector<Source> given;
    std::set<std::string> seen;
    for (const std::string& path : paths)
        for (Source& source : sources(path))
            if (seen.insert(fs::weakly_canonical(log_of(source.path)).string() + "#" + source.pattern).second)
                given.push_back(std::move(source));

    std::vector<std::vector<RunRecord>> read(given.size());
    std::vector<std::exception_ptr> failures(given.size());
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i; (i = next++) < given.size();) try {
                read[i] = read_source(given[i], options);
            } catch (...) {
                failures[i] = std::current_exception();
            }
    };
    {
        std::vector<std::jthread> others;
        for (int i = 1; i < std::min<int>(options.threads, static_cast<int>(given.size())); ++i)
            others.emplace_back(work);
        work();
    }
    // The first in the order given, whichever thread met one first.
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);

    std::map<std::string, int> uses;
    for (const auto& some : read)
        for (const RunRecord& run : some) ++uses[run.name];
    std::vector<RunRecord> runs;
    for (std::size_t i = 0; i < read.size(); ++i)
        for (RunRecord& run : read[i]) {
            if (uses[run.name] > 1) run.name = given[i].path + (read[i].size() > 1 ? "#" + run.name : "");
            runs.push_back(std::move(run));
        }
    return runs;
}

}  // namespace steepest::report
