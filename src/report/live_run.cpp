#include "report/live_run.h"

#include "core/error.h"
#include "report/compare.h"
#include "report/table.h"
#include "report/text.h"
#include "report/text_plot.h"
#include "report/thinned.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace steepest::report {

namespace {

// Steps whose pace an estimate is made from.
constexpr std::size_t kPaceRows = 50;
constexpr std::size_t kPlotRows = 1500;

// What is in the file from `offset` on. Not mapped: a file that is shortened while it is mapped kills whoever reads it.
std::string read_from(const std::string& path, std::int64_t offset) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return {};
    std::string text;
    char buffer[1 << 16];
    for (ssize_t n; (n = ::pread(descriptor, buffer, sizeof buffer, offset)) != 0;) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        text.append(buffer, static_cast<std::size_t>(n)), offset += n;
    }
    ::close(descriptor);
    return text;
}

std::string duration(double seconds) {
    if (!std::isfinite(seconds)) return "-";
    const auto s = static_cast<long long>(seconds);
    char text[48];
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

std::string step_of(const LogLine& line, const RunRecord& run) {
    return "step " + std::to_string(line.step) + (run.start.steps > 0 ? "/" + std::to_string(run.start.steps) : "");
}

std::string last_step_text(const LiveRun& live) {
    const RunRecord& run = live.record();
    if (!live.last()) return "no step yet";
    const LogLine& last = *live.last();
    std::string text = step_of(last, run) + "  loss " + fixed(last.loss, kLossDecimals);
    if (!run.eval.empty())
        text +=
            "  validation " + fixed(run.final_loss(), kLossDecimals) + " at " + std::to_string(run.eval.step.back());
    if (run.start.tokens_per_step > 0 && std::isfinite(last.step_ms))
        text += "  " + grouped(1e3 * static_cast<double>(run.start.tokens_per_step) / last.step_ms) + " tokens/s";
    text += "  elapsed " + duration(last.wall_s);
    if (run.status == RunStatus::unfinished) text += "  ETA " + duration(live.seconds_left());
    return text;
}

}  // namespace

LiveRun::LiveRun(const std::string& path) : path_(path) {
    std::error_code ignored;
    const bool folder = std::filesystem::is_directory(path, ignored);
    if (!folder && !std::filesystem::exists(path, ignored))
        throw InputError(path + ": no such run directory or log file");
    log_path_ = folder ? path + "/log.jsonl" : path;
    reset();
}

void LiveRun::reset() {
    run_ = {};
    run_.log_path = log_path_;
    run_.name = std::filesystem::weakly_canonical(path_).filename().string();
    builder_.emplace(run_, /*keep_train=*/true);
    last_.reset(), tail_.clear();
    offset_ = 0, number_ = 0;
}

std::vector<LogLine> LiveRun::update() {
    std::vector<LogLine> news;
    const std::int64_t from = offset_ - static_cast<std::int64_t>(tail_.size());
    const std::string text = read_from(log_path_, from);
    if (text.starts_with(tail_)) {
        take(std::string_view(text).substr(tail_.size()), news);
        return news;
    }
    reset();
    take(read_from(log_path_, 0), news);
    for (std::size_t i = news.size(); i-- > 0;)
        if (news[i].kind == LogLine::Kind::resume) {
            news.erase(news.begin(), news.begin() + static_cast<std::ptrdiff_t>(i));
            break;
        }
    return news;
}

void LiveRun::take(std::string_view text, std::vector<LogLine>& news) {
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;) {
        const std::string_view bytes = text.substr(0, end);
        std::optional<LogLine> line = parser_.parse(bytes, log_path_, ++number_);
        if (!line || (number_ == 1 && line->kind != LogLine::Kind::start))
            throw InputError(log_path_ + ":" + std::to_string(number_) + ": not a line of a run log");
        builder_->take(*line, number_);
        if (line->kind == LogLine::Kind::train) last_ = line;
        news.push_back(std::move(*line));
        tail_ = text.substr(0, end + 1);
        offset_ += static_cast<std::int64_t>(end + 1);
        text.remove_prefix(end + 1);
    }
}

double LiveRun::seconds_left() const {
    const Curve& train = run_.train;
    if (train.size() < 2 || run_.start.steps <= 0) return kUnknown;
    const std::size_t last = train.size() - 1, first = last - std::min(last, kPaceRows);
    const double pace =
        (train.wall[last] - train.wall[first]) / static_cast<double>(train.step[last] - train.step[first]);
    return pace * static_cast<double>(run_.start.steps - train.step[last]);
}

std::string progress_line(const LogLine& line, const RunRecord& run) {
    switch (line.kind) {
        case LogLine::Kind::start:
            return run.name + ": " + line.start.model + ", " + line.start.optimizer + ", " +
                   std::to_string(line.start.steps) + " steps";
        case LogLine::Kind::train:
            return step_of(line, run) + "  loss " +
                   (line.skipped ? "not finite, skipped" : fixed(line.loss, kLossDecimals));
        case LogLine::Kind::eval:
            return step_of(line, run) + "  " + line.split + " loss " + fixed(line.loss, kLossDecimals);
        case LogLine::Kind::resume:
            return step_of(line, run) + "  resumed";
        case LogLine::Kind::end:
            return step_of(line, run) + "  " + line.reason;
        case LogLine::Kind::other:
            break;
    }
    return "";
}

std::string live_view(const LiveRun& live, const std::string& status, const LiveStyle& style) {
    const RunRecord& run = live.record();
    std::string title = run.name + "  " + run.start.model + "  " + run.optimizer() + "  " + status;
    if (run.resumes > 0) title += ", resumed " + std::to_string(run.resumes) + "x";
    std::vector<TextSeries> series;
    if (!run.train.empty()) {
        const Curve train = thinned(run.train, kPlotRows);
        series.push_back({"training", {{train.step.begin(), train.step.end()}, train.loss}});
    }
    if (!run.eval.empty())
        series.push_back({"validation", {{run.eval.step.begin(), run.eval.step.end()}, run.eval.loss}});
    if (series.empty()) return clip(title, style.width) + "\n" + last_step_text(live) + "\n";
    // Three lines are the title's, the last step's and one that stays free.
    const std::string plot = text_plot(series, {.width = style.width,
                                                .height = style.height - 3,
                                                .colour = style.colour,
                                                .braille = style.braille,
                                                .x_label = "step",
                                                .y_label = "loss (nats/token)"});
    return clip(title, style.width) + "\n" + plot + clip(last_step_text(live), style.width) + "\n";
}

}  // namespace steepest::report
