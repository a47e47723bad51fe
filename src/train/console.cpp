#include "train/console.h"

#include "core/clock.h"
#include "core/error.h"
#include "train/terminal.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <string_view>
#include <utility>
#include <vector>

namespace steepest {

namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr std::int64_t kPlainLines = 20;   // a run
constexpr double kSmoothingSeconds = 5.0;  // of the token rate
constexpr const char* kFilePattern = "%Y-%m-%d %H:%M:%S.%e %l: %v";

bool want_colors() {
    const char *none = std::getenv("NO_COLOR"), *term = std::getenv("TERM");
    return !(none && *none) && !(term && std::string_view(term) == "dumb");
}

// spdlog's messages, above the live line.
class TerminalSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    TerminalSink(Terminal& terminal, bool colors) : terminal_(terminal), colors_(colors) {}

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        std::string text(message.payload.data(), message.payload.size());
        if (message.level >= spdlog::level::warn) {
            const bool error = message.level >= spdlog::level::err;
            const std::string_view word = error ? "error" : "warning", color = error ? "\033[31m" : "\033[33m";
            text = fmt::format("{}{}:{} {}", colors_ ? color : "", word, colors_ ? "\033[0m" : "", text);
        }
        terminal_.message(text);
    }
    void flush_() override {}

    Terminal& terminal_;
    bool colors_;
};

}  // namespace

std::string short_number(double value) {
    if (!std::isfinite(value)) return "-";
    for (const auto& [scale, letter] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
        // What rounds to 1000 of the smaller unit is 1.00 of this one.
        if (std::abs(value) >= scale * 0.9995) {
            const double v = value / scale;
            return fmt::format("{:.{}f}{}", v, std::abs(v) < 9.995 ? 2 : std::abs(v) < 99.95 ? 1 : 0, letter);
        }
    return fmt::format("{:.0f}", value);
}

std::string short_duration(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return "-";
    const auto s = static_cast<std::int64_t>(std::min(seconds, 1e15));
    const std::int64_t minutes = s / 60 % 60, hours = s / 3600;
    if (hours >= 24) return fmt::format("{}d {:02}:{:02}", hours / 24, hours % 24, minutes);
    if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, s % 60);
    return fmt::format("{}:{:02}", minutes, s % 60);
}

struct Console::Impl {
    ConsoleOptions options;
    Terminal terminal;
    std::shared_ptr<spdlog::logger> both, file;

    std::mutex mutex;  // of what follows
    std::int64_t total = 0;
    Progress first, last, printed;
    double began = 0, drawn = 0;
    double tokens_per_second = NAN;
    std::string validation;  // "  val 3.4121", or nothing yet

    explicit Impl(ConsoleOptions o)
        : options(std::move(o)), terminal(options.descriptor, options.terminal, options.width) {
        if (!options.clock) options.clock = monotonic_seconds;
        const bool colors = options.colors.value_or(terminal.live() && want_colors());
        const auto people = std::make_shared<TerminalSink>(terminal, colors);
        people->set_level(options.quiet ? spdlog::level::warn : spdlog::level::info);
        std::vector<spdlog::sink_ptr> sinks{people};
        file = std::make_shared<spdlog::logger>(options.name);
        if (!options.log_path.empty()) {
            try {
                sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.log_path));
            } catch (const spdlog::spdlog_ex& error) {
                throw StorageError(options.log_path + ": " + error.what());
            }
            sinks.back()->set_pattern(kFilePattern);
            file->sinks().push_back(sinks.back());
        }
        both = std::make_shared<spdlog::logger>(options.name, sinks.begin(), sinks.end());
        for (const auto& logger : {both, file}) {
            logger->flush_on(spdlog::level::info);
            // A full disk must not stop the run here; what counts is in log.jsonl.
            logger->set_error_handler([this](const std::string& what) { terminal.message("train.log: " + what); });
        }
    }

    std::string line(const Progress& now) const {
        const double done = static_cast<double>(now.step - first.step), left = static_cast<double>(total - now.step);
        const double eta = done > 0 ? (options.clock() - began) / done * left : NAN;
        return fmt::format("step {}/{}  loss {:.4f}{}  {} tok/s  {}", now.step, total, now.loss, validation,
                           short_number(tokens_per_second),
                           left > 0 ? "ETA " + short_duration(eta) : "took " + short_duration(now.wall_seconds));
    }
    void smooth(const Progress& now) {
        const double seconds = now.train_seconds - last.train_seconds;
        const auto tokens = static_cast<double>(now.tokens - last.tokens);
        last = now;
        if (!(seconds > 0)) return;
        const double weight = std::isnan(tokens_per_second) ? 1 : 1 - std::exp(-seconds / kSmoothingSeconds);
        const double rate = tokens / seconds;
        tokens_per_second = weight == 1 ? rate : tokens_per_second + weight * (rate - tokens_per_second);
    }
    // Whether this step is one of about 20 a run.
    bool plain_line_due(std::int64_t step) const {
        const std::int64_t every = std::max<std::int64_t>(1, (total + kPlainLines - 1) / kPlainLines);
        return step / every > printed.step / every || step == total;
    }
};

Console::Console(ConsoleOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Console::~Console() { impl_->terminal.erase(); }

spdlog::logger& Console::logger() { return *impl_->both; }

void Console::start(std::int64_t total_steps, const Progress& from) {
    const std::lock_guard lock(impl_->mutex);
    impl_->total = total_steps;
    impl_->first = impl_->last = impl_->printed = from;
    impl_->began = impl_->options.clock();
    impl_->drawn = -INFINITY;
    impl_->tokens_per_second = NAN;
}

void Console::progress(const Progress& now) {
    Impl& i = *impl_;
    const std::lock_guard lock(i.mutex);
    i.smooth(now);
    const bool plain = i.plain_line_due(now.step);
    if (plain) {
        i.printed = now;
        i.file->info(i.line(now));
    }
    if (i.options.quiet) return;
    if (!i.terminal.live()) {
        if (plain) i.terminal.message(i.line(now));
        return;
    }
    const double time = i.options.clock();
    if (time - i.drawn < kRedrawSeconds && now.step != i.total) return;
    i.drawn = time;
    i.terminal.draw(i.line(now));
}

void Console::evaluation(std::int64_t step, const std::string& split, double loss) {
    const std::lock_guard lock(impl_->mutex);
    if (split == "validation") impl_->validation = fmt::format("  val {:.4f}", loss);
    impl_->both->info("step {}/{}  {} loss {:.4f}", step, impl_->total, split, loss);
}

void Console::finish() { impl_->terminal.erase(); }

}  // namespace steepest
