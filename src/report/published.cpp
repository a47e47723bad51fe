#include "report/published.h"

#include "core/error.h"
#include "core/file.h"
#include "report/thinned.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>

namespace steepest::report {

namespace {

namespace fs = std::filesystem;

bool is_csv(const std::string& path) { return fs::path(path).extension() == ".csv"; }

template <class T>
bool parse_number(std::string_view text, T& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

std::string at(const std::string& path, std::int64_t number) { return path + ":" + std::to_string(number) + ": "; }

// "s:250 tel:6.1710 ..." -> 250, "tel", 6.1710
struct LlmcLine {
    std::int64_t step;
    std::string_view what;
    double value;
};
std::optional<LlmcLine> parse_llmc(std::string_view line) {
    const std::size_t space = line.find(' '), colon = line.find(':', 2);
    LlmcLine parsed{};
    if (!line.starts_with("s:") || space == line.npos || colon == line.npos || colon < space ||
        !parse_number(line.substr(2, space - 2), parsed.step))
        return std::nullopt;
    parsed.what = line.substr(space + 1, colon - space - 1);
    const std::string_view rest = line.substr(colon + 1);
    if (!parse_number(rest.substr(0, rest.find(' ')), parsed.value)) return std::nullopt;
    return parsed;
}

// Rows from `step` on are gone.
void cut(Curve& curve, std::int64_t step) {
    const std::size_t kept = std::ranges::lower_bound(curve.step, step) - curve.step.begin();
    curve.step.resize(kept), curve.tokens.resize(kept), curve.gradients.resize(kept), curve.flops.resize(kept);
    curve.seconds.resize(kept), curve.wall.resize(kept), curve.loss.resize(kept);
}

// A row of which nothing but its step is known.
LogLine unknown_row(std::int64_t step, double tokens_per_step) {
    LogLine row;
    row.step = step, row.tokens = tokens_per_step * static_cast<double>(step);
    row.gradients = row.model_flops = kUnknown;
    return row;
}

void finish(RunRecord& run, const ReadOptions& options) {
    run.status = RunStatus::published;
    for (const Curve* curve : {&run.train, &run.eval})
        if (!curve->empty()) run.last_step = std::max(run.last_step, curve->step.back());
    run.train = thinned(std::move(run.train), options.most_train_rows);
}

RunRecord read_llmc(const std::string& path, std::string_view text, const ReadOptions& options) {
    RunRecord run;
    run.log_path = path;
    run.name = fs::path(path).filename() == "main.log" && fs::path(path).has_parent_path()
                   ? fs::weakly_canonical(path).parent_path().filename().string()
                   : fs::path(path).stem().string();
    for (std::int64_t number = 1; !text.empty(); ++number) {
        const bool whole = text.find('\n') != text.npos;
        const std::string_view line = take_line(text);
        const auto parsed = parse_llmc(line);
        if (!parsed && !whole) {
            run.partial_last_line = true;
            break;
        }
        if (!parsed)
            throw InputError(at(path, number) + "not a line of llm.c's main.log: \"" + std::string(line.substr(0, 40)) +
                             "\"; expected s:STEP trl:LOSS or s:STEP tel:LOSS");
        const bool train = parsed->what == "trl";
        if (!train && parsed->what != "tel") continue;
        Curve& curve = train ? run.train : run.eval;
        LogLine row = unknown_row(parsed->step + train, options.tokens_per_step);
        row.gradients = static_cast<double>(row.step), row.loss = parsed->value;
        if (!curve.empty() && curve.step.back() >= row.step) cut(curve, row.step);
        curve.add(row);
    }
    finish(run, options);
    return run;
}

// One record of RFC 4180; lines within quotes are counted in `number`.
std::vector<std::string> take_record(std::string_view& text, std::int64_t& number) {
    std::vector<std::string> cells(1);
    bool within = false;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        number += c == '\n';
        if (within && c == '"' && text.starts_with('"'))
            cells.back() += c, text.remove_prefix(1);
        else if (c == '"')
            within = !within;
        else if (!within && c == ',')
            cells.emplace_back();
        else if (!within && c == '\n')
            break;
        else if (within || c != '\r')
            cells.back() += c;
    }
    return cells;
}

class CsvReader {
public:
    CsvReader(std::string path, std::vector<std::string> header, const ReadOptions& options)
        : path_(std::move(path)), header_(std::move(header)), options_(options) {
        if (header_.front().starts_with("\xEF\xBB\xBF")) header_.front().erase(0, 3);
        name_ = column({"run", "series", "name", "arm"});
        step_ = column({"step", "iteration"});
        eval_ = column({"val_loss"}), train_ = column({"train_loss"});
        loss_ = column({"loss", "value"}), kind_ = column({"kind", "split", "figure"});
        tokens_ = column({"tokens"}), gradients_ = column({"gradients"}), flops_ = column({"flops"});
        seconds_ = column({"seconds", "train_time_s"}), total_ = column({"total", "steps"});
        optimizer_ = column({"optimizer"});
        if (step_ < 0) fail_header("step or iteration");
        if (eval_ < 0 && train_ < 0 && (loss_ < 0 || kind_ < 0)) fail_header("val_loss, train_loss, or kind and loss");
    }

    void take(const std::vector<std::string>& cells, std::int64_t number) {
        if (cells.size() == 1 && cells.front().empty()) return;
        if (cells.size() != header_.size())
            throw InputError(at(path_, number) + std::to_string(cells.size()) + " cells; the first line has " +
                             std::to_string(header_.size()));
        LogLine row = unknown_row(step(cells, number), options_.tokens_per_step);
        if (tokens_ >= 0) row.tokens = value(cells, tokens_, number);
        row.gradients = value(cells, gradients_, number), row.model_flops = value(cells, flops_, number);
        row.train_s = value(cells, seconds_, number);
        const std::string name = name_ < 0 ? fs::path(path_).stem().string() : cells[name_];
        add(name, cells, row, eval_, false, number), add(name, cells, row, train_, true, number);
        if (loss_ < 0 || kind_ < 0) return;
        const std::string& kind = cells[kind_];
        if (kind == "train" || kind == "train_loss") add(name, cells, row, loss_, true, number);
        if (kind == "eval" || kind == "validation" || kind == "val_loss") add(name, cells, row, loss_, false, number);
    }

    std::vector<RunRecord> finish() {
        for (std::size_t r = 0; r < runs_.size(); ++r) {
            for (const bool train : {false, true}) {
                std::vector<LogLine>& rows = rows_[r][train];
                std::ranges::stable_sort(rows, {}, &LogLine::step);
                for (const LogLine& row : rows) (train ? runs_[r].train : runs_[r].eval).add(row);
            }
            report::finish(runs_[r], options_);
        }
        if (runs_.empty()) throw InputError(path_ + ": no row has a loss");
        return std::move(runs_);
    }

private:
    int column(std::initializer_list<const char*> names) const {
        for (const char* name : names)
            if (const auto found = std::ranges::find(header_, name); found != header_.end())
                return static_cast<int>(found - header_.begin());
        return -1;
    }
    [[noreturn]] void fail_header(const std::string& expected) const {
        std::string found;
        for (const std::string& name : header_) found += (found.empty() ? "" : ", ") + name;
        throw InputError(at(path_, 1) + "no curves: expected a column " + expected + "; found: " + found);
    }
    [[noreturn]] void fail(const std::vector<std::string>& cells, int c, std::int64_t number, const char* what) const {
        throw InputError(at(path_, number) + header_[c] + " is \"" + cells[c] + "\"; expected " + what);
    }
    // NaN for a column that is not there and for an empty cell.
    double value(const std::vector<std::string>& cells, int c, std::int64_t number) const {
        double parsed = kUnknown;
        if (c >= 0 && !cells[c].empty() && !parse_number(cells[c], parsed)) fail(cells, c, number, "a number");
        return parsed;
    }
    // Some write whole numbers as 50.0.
    std::int64_t step(const std::vector<std::string>& cells, std::int64_t number) const {
        const double parsed = value(cells, step_, number);
        if (!(parsed >= 0 && parsed < 1e15) || parsed != std::floor(parsed))
            fail(cells, step_, number, "a whole number from 0 on");
        return static_cast<std::int64_t>(parsed);
    }
    void add(const std::string& name, const std::vector<std::string>& cells, LogLine row, int c, bool train,
             std::int64_t number) {
        if (c < 0 || cells[c].empty()) return;
        row.loss = value(cells, c, number);
        const auto [known, fresh] = index_.try_emplace(name, runs_.size());
        if (fresh) {
            runs_.emplace_back().name = name;
            runs_.back().log_path = path_;
            rows_.emplace_back();
        }
        RunRecord& run = runs_[known->second];
        if (optimizer_ >= 0) run.start.optimizer = cells[optimizer_];
        if (const double total = value(cells, total_, number); std::isfinite(total))
            run.start.steps = static_cast<std::int64_t>(total);
        rows_[known->second][train].push_back(std::move(row));
    }

    std::string path_;
    std::vector<std::string> header_;
    const ReadOptions& options_;
    int name_, step_, eval_, train_, loss_, kind_, tokens_, gradients_, flops_, seconds_, total_, optimizer_;
    std::map<std::string, std::size_t> index_;
    std::vector<RunRecord> runs_;
    std::vector<std::array<std::vector<LogLine>, 2>> rows_;  // a run's evaluations and training rows
};

std::vector<RunRecord> read_csv(const std::string& path, std::string_view text, const ReadOptions& options) {
    std::int64_t next = 1;
    CsvReader reader(path, take_record(text, next), options);
    while (!text.empty()) {
        const std::int64_t number = next;
        reader.take(take_record(text, next), number);
    }
    return reader.finish();
}

}  // namespace

bool is_published(const std::string& path) {
    if (is_csv(path)) return true;
    const MappedFile file(path);
    std::string_view text = file.text();
    return parse_llmc(take_line(text)).has_value();
}

std::vector<RunRecord> read_published(const std::string& path, const ReadOptions& options) {
    const MappedFile file(path);
    if (file.size() == 0) throw InputError(path + ": empty");
    if (is_csv(path)) return read_csv(path, file.text(), options);
    return {read_llmc(path, file.text(), options)};
}

}  // namespace steepest::report
