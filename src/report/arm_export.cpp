#include "report/arm_export.h"

#include "report/arm_key.h"
#include "report/arm_tables.h"
#include "report/compare.h"
#include "report/csv.h"
#include "report/table.h"
#include "report/text.h"
#include "report/thinned.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace steepest::report {

namespace {

constexpr Axis kEveryAxis[] = {Axis::step, Axis::tokens, Axis::gradients, Axis::seconds, Axis::flops};
// Of all runs together, training and validation each: a few MB of text before it is compressed.
constexpr std::size_t kPageRows = 75'000;

Json number(double value) { return std::isfinite(value) ? json_number(static_cast<float>(value)) : Json(); }

Json columns(const Curve& curve) {
    Json out = Json::object();
    for (const Axis axis : kEveryAxis) {
        Json column = Json::array();
        for (std::size_t i = 0; i < curve.size(); ++i) {
            const double x = value(curve, axis, i);
            const bool whole = axis != Axis::seconds && axis != Axis::flops && std::isfinite(x);
            column.push_back(whole ? Json(static_cast<std::int64_t>(x)) : number(x));
        }
        out[std::string(name_of(axis))] = std::move(column);
    }
    Json losses = Json::array();
    for (const double loss : curve.loss) losses.push_back(number(loss));
    out["loss"] = std::move(losses);
    return out;
}

Json point_json(const ArmPoint& point) {
    return {{"rate", number(point.learning_rate)},
            {"loss", number(point.loss.mean)},
            {"half", number(point.loss.half_width)},
            {"seeds", point.usable.size()},
            {"diverged", point.diverged},
            {"runs", point.runs.size()}};
}

Json arm_json(std::span<const RunRecord> runs, const Arms& arms, std::size_t a, const PageOptions& options,
              std::size_t rows) {
    const Arm& arm = arms.arms[a];
    const ArmPoint& chosen = arm.chosen();
    const Curve mean = thinned(mean_curve(runs, chosen), rows);
    Json out = {{"name", labelled(arm.name, arm.reconstruction)},
                {"best", arm.best},
                {"choosing", arm.choosing},
                {"edge", arm.at_edge()}};
    out["points"] = Json::array();
    for (const ArmPoint& point : arm.points) out["points"].push_back(point_json(point));
    if (const auto region = good_region(arm, kGoodTolerance))
        out["good"] = {number(region->low), number(region->high), region->open_low, region->open_high};
    if (a != options.baseline) {
        const ArmDifference d = difference_of(runs, arm, arms.arms[options.baseline]);
        out["difference"] = {{"mean", number(d.loss.mean)}, {"low", number(d.loss.low)},
                             {"high", number(d.loss.high)}, {"p", number(d.loss.p)},
                             {"paired", d.paired},          {"n", d.n},
                             {"n_other", d.n_other},        {"significant", d.loss.significant()}};
    }
    out["targets"] = Json::array();
    const Curve whole = mean_curve(runs, chosen);
    for (const double target : options.targets) {
        const auto at = first_crossing(whole, target);
        out["targets"].push_back(at ? Json{number(at->step), number(at->tokens), number(at->seconds), number(at->wall)}
                                    : Json());
    }
    out["curve"] = columns(mean);
    Json half = Json::array();
    for (const double width : half_widths(runs, chosen, mean)) half.push_back(number(width));
    out["curve"]["half"] = std::move(half);
    return out;
}

std::string link_to(const RunRecord& run, const std::string& folder) {
    namespace fs = std::filesystem;
    return fs::proximate(fs::weakly_canonical(run.log_path).parent_path(), fs::weakly_canonical(fs::absolute(folder)))
        .string();
}

}  // namespace

std::size_t page_rows(std::size_t runs) {
    return std::clamp<std::size_t>(kPageRows / std::max<std::size_t>(runs, 1), 60, 2000);
}

std::vector<double> half_widths(std::span<const RunRecord> runs, const ArmPoint& point, const Curve& mean) {
    std::vector<double> widths;
    for (const std::int64_t step : mean.step) {
        std::vector<double> losses;
        for (const std::size_t run : point.usable) {
            const Curve& curve = runs[run].eval;
            const auto at = std::ranges::lower_bound(curve.step, step);
            if (at != curve.step.end() && *at == step) losses.push_back(curve.loss[at - curve.step.begin()]);
        }
        widths.push_back(summarize(losses).half_width);
    }
    return widths;
}

std::string arm_curves_csv(std::span<const RunRecord> runs, const Arms& arms) {
    std::string out = "run,optimizer,kind,step,tokens,gradients,flops,seconds,loss,low,high\n";
    for (const Arm& arm : arms.arms) {
        const Curve mean = mean_curve(runs, arm.chosen());
        const std::vector<double> half = half_widths(runs, arm.chosen(), mean);
        for (std::size_t i = 0; i < mean.size(); ++i)
            out += quoted(labelled(arm.name, arm.reconstruction)) + ",-,eval," + std::to_string(mean.step[i]) + ',' +
                   count_cell(mean.tokens[i]) + ',' + count_cell(mean.gradients[i]) + ',' + shortest(mean.flops[i]) +
                   ',' + shortest(mean.seconds[i]) + ',' + shortest(mean.loss[i]) + ',' +
                   shortest(mean.loss[i] - half[i]) + ',' + shortest(mean.loss[i] + half[i]) + '\n';
    }
    return out;
}

std::string learning_rates_csv(const Arms& arms) {
    std::string out = "arm,learning_rate,loss,low,high,diverged,runs\n";
    for (const Arm& arm : arms.arms)
        for (const ArmPoint& point : arm.points)
            out += quoted(labelled(arm.name, arm.reconstruction)) + ',' + shortest(point.learning_rate) + ',' +
                   shortest(point.loss.mean) + ',' + shortest(point.loss.mean - point.loss.half_width) + ',' +
                   shortest(point.loss.mean + point.loss.half_width) + ',' + std::to_string(point.diverged) + ',' +
                   std::to_string(point.runs.size()) + '\n';
    return out;
}

Json page_data(std::span<const RunRecord> runs, const Arms& arms, const PageOptions& options) {
    const std::size_t rows = page_rows(runs.size());
    Json page = {
        {"by", std::string(name_of(arms.axis))}, {"log_x", options.log_x},     {"log_y", options.log_y},
        {"baseline", options.baseline},          {"targets", options.targets}, {"good_tolerance", kGoodTolerance}};
    page["axes"] = Json::array();
    for (const Axis axis : kEveryAxis)
        page["axes"].push_back({{"key", std::string(name_of(axis))}, {"label", std::string(label_of(axis))}});
    std::vector<std::pair<std::size_t, double>> place(runs.size());
    std::vector<char> chosen(runs.size(), 0);
    page["arms"] = Json::array();
    for (std::size_t a = 0; a < arms.arms.size(); ++a) {
        page["arms"].push_back(arm_json(runs, arms, a, options, rows));
        for (const ArmPoint& point : arms.arms[a].points)
            for (const std::size_t run : point.runs) place[run] = {a, point.learning_rate};
        for (const std::size_t run : arms.arms[a].chosen().runs) chosen[run] = 1;
    }
    page["runs"] = Json::array();
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const RunRecord& run = runs[i];
        page["runs"].push_back({{"name", run.name},
                                {"arm", place[i].first},
                                {"rate", number(place[i].second)},
                                {"seed", seed_label(run)},
                                {"chosen", chosen[i] != 0},
                                {"status", status_text(run)},
                                {"final", number(run.final_loss())},
                                {"best", number(run.best_loss())},
                                {"step_ms", number(run.step_ms_median)},
                                {"optimizer_share", number(run.optimizer_share)},
                                {"link", link_to(run, options.folder)},
                                {"eval", columns(thinned(run.eval, rows))},
                                {"train", columns(thinned(run.train, rows))}});
    }
    page["differences"] = differences_json(runs);
    return page;
}

}  // namespace steepest::report
