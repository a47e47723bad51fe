// `steepest compare RUN...`: the table of runs, and their curves as CSV, as pictures and in the terminal.
#include "report/compare.h"

#include "cli/command.h"
#include "cli/screen.h"
#include "core/error.h"
#include "core/file.h"
#include "core/suggest.h"
#include "report/arm_export.h"
#include "report/arm_tables.h"
#include "report/csv.h"
#include "report/picture.h"
#include "report/text_plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

namespace steepest::cli {

namespace {

constexpr std::size_t kMostDifferences = 24;
// Kept while reading; the page keeps fewer where there are many runs.
constexpr std::size_t kPageTrainRows = 2000;

struct Options {
    std::vector<std::string> runs, pictures;
    std::string baseline, by = "step", csv, page, rates;
    bool log_x = false, log_y = false;
    std::vector<double> targets;
    std::int64_t tokens_per_step = 0;
    bool plot = false, train = false, all_differences = false, one_line_a_run = false;
};

std::size_t baseline_of(const std::vector<std::string>& names, const std::string& name) {
    if (name.empty()) return 0;
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) throw InputError("--baseline: " + not_one_of(name, names));
    return found - names.begin();
}

std::string plot(const std::vector<report::RunRecord>& runs, report::Axis axis) {
    report::TextPlotStyle style;
    const TerminalLook look = terminal_look();
    if (look.columns > 0) style.width = std::clamp(look.columns, 60, 120);
    style.colour = look.colour, style.braille = look.braille;
    style.y_label = "validation loss (nats/token)", style.x_label = report::label_of(axis);

    std::vector<report::TextSeries> series;
    for (const report::RunRecord& run : runs) {
        report::TextSeries s{run.name, {{}, run.eval.loss}};
        for (std::size_t i = 0; i < run.eval.size(); ++i) s.line.x.push_back(report::value(run.eval, axis, i));
        series.push_back(std::move(s));
    }
    return report::text_plot(series, style);
}

std::string run_text(const std::vector<report::RunRecord>& runs, report::Axis axis, const Options& options) {
    std::vector<std::string> names;
    for (const report::RunRecord& run : runs) names.push_back(run.name);
    std::string text = report::comparison_table(runs, baseline_of(names, options.baseline), axis);
    if (!options.targets.empty()) text += "\n" + report::target_table(runs, options.targets);
    return text;
}

// The arm that a baseline names, by its own name or one of its runs'.
std::size_t baseline_arm(const std::vector<report::RunRecord>& runs, const report::Arms& arms,
                         const std::string& name) {
    std::vector<std::string> names;
    for (std::size_t a = 0; a < arms.arms.size(); ++a) {
        names.push_back(arms.arms[a].name);
        for (const report::ArmPoint& point : arms.arms[a].points)
            for (const std::size_t run : point.runs)
                if (runs[run].name == name) return a;
    }
    return baseline_of(names, name);
}

std::string arm_text(const std::vector<report::RunRecord>& runs, const report::Arms& arms, const Options& options) {
    const std::size_t baseline = baseline_arm(runs, arms, options.baseline);
    std::string text = report::arm_table(runs, arms, baseline) + "\n" + report::arm_cost_table(runs, arms, baseline);
    if (!options.targets.empty()) text += "\n" + report::arm_target_table(runs, arms, options.targets);
    if (const std::string rates = report::learning_rate_table(arms); !rates.empty()) text += "\n" + rates;
    return text;
}

// The first run at each arm's best learning rate, under the arm's name.
std::vector<report::RunRecord> one_an_arm(const std::vector<report::RunRecord>& runs, const report::Arms& arms) {
    std::vector<report::RunRecord> chosen;
    for (const report::Arm& arm : arms.arms) {
        chosen.push_back(runs[arm.chosen().runs.front()]);
        chosen.back().name = arm.name;
        chosen.back().eval = report::mean_curve(runs, arm.chosen());
    }
    return chosen;
}

// Training rows cost most of the memory: only as many as something shows.
report::ReadOptions reading(const Options& options) {
    report::ReadOptions reading{.threads = static_cast<int>(std::thread::hardware_concurrency())};
    if (options.tokens_per_step > 0) reading.tokens_per_step = static_cast<double>(options.tokens_per_step);
    const bool all = !options.csv.empty() || (options.train && !options.pictures.empty());
    if (!all) reading.most_train_rows = options.page.empty() ? 0 : kPageTrainRows;
    return reading;
}

void write_files(const std::vector<report::RunRecord>& runs, const report::Arms& arms, bool by_arm,
                 const Options& options) {
    if (!options.csv.empty()) {
        AtomicFile file(options.csv);
        report::write_curves_csv(runs, [&file](std::string_view text) { file.write(text); });
        file.commit();
    }
    if (!options.pictures.empty()) {
        const std::string csv = by_arm ? report::arm_curves_csv(runs, arms) : report::labelled_curves_csv(runs);
        for (const std::string& path : options.pictures)
            report::draw_picture(csv, path,
                                 {.axis = arms.axis,
                                  .train = options.train && !by_arm,
                                  .log_x = options.log_x,
                                  .log_y = options.log_y,
                                  .targets = options.targets});
    }
    if (!options.rates.empty()) report::draw_learning_rates(report::learning_rates_csv(arms), options.rates);
    if (!options.page.empty()) {
        const std::string folder = std::filesystem::path(options.page).parent_path().string();
        const report::PageOptions page = {.baseline = baseline_arm(runs, arms, options.baseline),
                                          .targets = options.targets,
                                          .log_x = options.log_x,
                                          .log_y = options.log_y,
                                          .folder = folder.empty() ? "." : folder};
        report::write_page(report::page_data(runs, arms, page).dump(-1, ' ', false, Json::error_handler_t::replace),
                           options.page);
    }
}

// Published curves often have no axis but the step.
void check_axis(const std::vector<report::RunRecord>& runs, report::Axis axis) {
    bool any = false;
    for (const report::RunRecord& run : runs)
        for (const report::Curve* curve : {&run.eval, &run.train})
            any |= run.status != report::RunStatus::published ||
                   (!curve->empty() && std::isfinite(report::value(*curve, axis, curve->size() - 1)));
    if (!any)
        throw InputError("--by " + std::string(report::name_of(axis)) + ": none of these curves says its " +
                         std::string(report::name_of(axis)) +
                         (axis == report::Axis::tokens ? "; --tokens-per-step does" : ""));
}

void compare(const Options& options) {
    const report::Axis axis = report::parse_axis(options.by);
    for (const std::string& path : options.pictures) report::check_picture_name(path);
    if (!options.rates.empty()) report::check_picture_name(options.rates);
    const std::vector<report::RunRecord> runs = report::read_runs(options.runs, reading(options));
    check_axis(runs, axis);
    const report::Arms arms = report::arms_of(runs, axis);
    const bool by_arm = arms.worth_showing && !options.one_line_a_run;

    std::string text = by_arm ? arm_text(runs, arms, options) : run_text(runs, axis, options);
    if (const std::string unknown = report::unknown_axes(runs); !unknown.empty()) text += "\n" + unknown;
    const std::size_t most = options.all_differences ? std::size_t(-1) : kMostDifferences;
    const std::string differences =
        report::config_differences(by_arm ? one_an_arm(runs, arms) : runs, most, options.all_differences);
    if (!differences.empty()) text += "\nwhat differs\n" + differences;
    if (options.plot || ::isatty(STDOUT_FILENO)) text += "\n" + plot(by_arm ? one_an_arm(runs, arms) : runs, axis);
    std::fputs(text.c_str(), stdout);
    // A missing Python must not cost the table that is already made.
    std::fflush(stdout);

    write_files(runs, arms, by_arm, options);
}

}  // namespace

Action add_compare(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option(
           "RUN", options->runs,
           "run directories, log files, folders of runs such as a sweep, or published curves: llm.c's main.log, CSV; "
           "FILE.csv#PATTERN takes some of a file's curves")
        ->required();
    app.add_option("--tokens-per-step", options->tokens_per_step,
                   "of published curves that do not say their tokens, such as 524288")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    app.add_option("--baseline", options->baseline,
                   "run or arm the others are measured against; by default the first one");
    app.add_flag("--runs", options->one_line_a_run, "one line a run also where several runs make an arm");
    app.add_option("--target", options->targets, "also the cost to this validation loss, in nats a token; repeatable")
        ->type_name("LOSS")
        ->allow_extra_args(false);
    app.add_option("--by", options->by, "horizontal axis: step, tokens, gradients, seconds or flops")
        ->capture_default_str();
    app.add_option("--csv", options->csv, "write all curves to this file, one row a step or evaluation")
        ->type_name("FILE");
    app.add_option("--png,--svg,--pdf", options->pictures,
                   "draw the curves, in the format of the file's ending; repeatable")
        ->type_name("FILE")
        ->allow_extra_args(false);
    app.add_option("--html", options->page, "write a page with all curves and tables that opens offline")
        ->type_name("FILE");
    app.add_option("--rates", options->rates, "draw the loss against the learning rate, one curve an arm")
        ->type_name("FILE");
    app.add_flag("--log-x", options->log_x, "logarithmic horizontal axis in pictures and the page");
    app.add_flag("--log-y", options->log_y, "logarithmic loss in pictures and the page");
    app.add_flag("--train", options->train, "pictures also show the training loss, smoothed");
    app.add_flag("--plot", options->plot, "plot in plain text also where the output is not a terminal");
    app.add_flag(
        "--all-differences", options->all_differences,
        "list every config key that differs, however many, also what runs have alike of objects that others lack");
    return [options] { compare(*options); };
}

}  // namespace steepest::cli
