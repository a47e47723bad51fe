#include "report/arms.h"

#include "report/arm_key.h"
#include "report/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

namespace steepest::report {

namespace {

// Of the finished runs, or of all where none is.
CommonEnd end_of(std::span<const RunRecord> runs, Axis axis) {
    std::vector<RunRecord> ends;
    for (const bool finished : {true, false}) {
        for (const RunRecord& run : runs) {
            if (finished && run.status != RunStatus::done && run.status != RunStatus::published) continue;
            RunRecord& end = ends.emplace_back();
            end.eval = run.eval, end.status = run.status;
        }
        if (!ends.empty()) break;
    }
    return common_end(ends, axis);
}

// Within rounding of the end: seconds and FLOPs of equal runs differ.
double compared_loss(const RunRecord& run, const Arms& arms) {
    if (run.status == RunStatus::diverged || run.eval.empty()) return kUnknown;
    const double last = value(run.eval, arms.axis, run.eval.size() - 1);
    if (std::isfinite(arms.end.x) && std::abs(last - arms.end.x) <= 1e-9 * std::abs(last)) return run.final_loss();
    return loss_at(run.eval, arms.axis, arms.end.x);
}

// A rate that was run with more seeds than the others must not win or lose by those.
void score(std::span<const RunRecord> runs, Arm& arm) {
    std::map<std::string, std::size_t> count;  // seed -> how many points have it
    for (const ArmPoint& point : arm.points) {
        std::set<std::string> seeds;
        for (const std::size_t run : point.runs) seeds.insert(seed_key(runs[run]));
        for (const std::string& seed : seeds) ++count[seed];
    }
    const auto by_all = [&](const auto& seed) { return seed.second == arm.points.size(); };
    const bool any = std::ranges::any_of(count, by_all);
    for (ArmPoint& point : arm.points) {
        std::vector<double> losses;
        for (std::size_t i = 0; i < point.usable.size(); ++i)
            if (!any || count[seed_key(runs[point.usable[i]])] == arm.points.size()) losses.push_back(point.losses[i]);
        point.score = summarize(losses).mean;
    }
}

void choose_best(std::span<const RunRecord> runs, Arm& arm) {
    score(runs, arm);
    const auto better = [](const ArmPoint& a, const ArmPoint& b) {
        if (std::isfinite(a.score) != std::isfinite(b.score)) return std::isfinite(a.score);
        return a.diverged != b.diverged ? a.diverged < b.diverged : a.score < b.score;
    };
    arm.best = std::ranges::min_element(arm.points, better) - arm.points.begin();
    std::set<std::string> elsewhere;
    for (std::size_t p = 0; p < arm.points.size(); ++p)
        if (p != arm.best)
            for (const std::size_t run : arm.points[p].runs) elsewhere.insert(seed_key(runs[run]));
    arm.choosing = std::ranges::count_if(arm.chosen().usable,
                                         [&](std::size_t run) { return elsewhere.contains(seed_key(runs[run])); });
}

}  // namespace

Arms arms_of(std::span<const RunRecord> runs, Axis axis) {
    Arms result;
    result.axis = axis, result.end = end_of(runs, axis);
    std::map<std::string, std::size_t> arm_of_key;
    std::vector<std::vector<std::size_t>> members;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto [at, fresh] = arm_of_key.try_emplace(arm_key(runs[i]), members.size());
        if (fresh) members.emplace_back();
        members[at->second].push_back(i);
    }
    const std::vector<std::string> names = arm_names(runs, members);
    for (std::size_t a = 0; a < members.size(); ++a) {
        Arm arm;
        arm.name = names[a], arm.reconstruction = runs[members[a].front()].reconstruction();
        std::map<std::string, std::size_t> point_of_key;
        std::set<std::pair<std::size_t, std::string>> samples;
        for (const std::size_t run : members[a]) {
            const auto [at, fresh] = point_of_key.try_emplace(rate_key(runs[run]), arm.points.size());
            if (fresh) arm.points.emplace_back();
            ArmPoint& point = arm.points[at->second];
            point.runs.push_back(run);
            // A replay, or the same run under another name, is no second sample.
            if (!samples.emplace(at->second, seed_key(runs[run])).second) continue;
            point.diverged += runs[run].status == RunStatus::diverged;
            if (const double loss = compared_loss(runs[run], result); std::isfinite(loss))
                point.usable.push_back(run), point.losses.push_back(loss);
        }
        const std::string group = varying_group(runs, members[a]);
        for (ArmPoint& point : arm.points) {
            point.learning_rate = learning_rate(runs[point.runs.front()], group);
            point.loss = summarize(point.losses);
        }
        std::ranges::stable_sort(arm.points, {}, &ArmPoint::learning_rate);
        choose_best(runs, arm);
        result.worth_showing |= samples.size() > 1;
        result.arms.push_back(std::move(arm));
    }
    return result;
}

ArmDifference difference_of(std::span<const RunRecord> runs, const Arm& arm, const Arm& baseline) {
    const ArmPoint &one = arm.chosen(), &other = baseline.chosen();
    std::vector<double> a, b;
    bool shared = true;
    for (std::size_t i = 0; i < one.usable.size(); ++i)
        for (std::size_t j = 0; j < other.usable.size(); ++j) {
            const RunRecord &x = runs[one.usable[i]], &y = runs[other.usable[j]];
            if (seed_key(x) != seed_key(y)) continue;
            shared &= !x.start.init.empty() && x.start.init == y.start.init && !x.start.data.empty() &&
                      x.start.data == y.start.data && x.start.tokens_per_step == y.start.tokens_per_step;
            a.push_back(one.losses[i]), b.push_back(other.losses[j]);
        }
    if (shared && a.size() >= 2) return {true, a.size(), a.size(), paired_difference(a, b)};
    return {false, one.losses.size(), other.losses.size(), welch_difference(one.losses, other.losses)};
}

Curve mean_curve(std::span<const RunRecord> runs, const ArmPoint& point) {
    Curve mean;
    if (point.usable.empty()) return mean;
    const double n = static_cast<double>(point.usable.size());
    std::vector<std::size_t> at(point.usable.size(), 0);
    const Curve& first = runs[point.usable.front()].eval;
    for (std::size_t row = 0; row < first.size(); ++row) {
        LogLine line;
        double tokens = 0, gradients = 0, flops = 0, seconds = 0, wall = 0, loss = 0;
        bool everyone = true;
        for (std::size_t r = 0; r < at.size(); ++r) {
            const Curve& curve = runs[point.usable[r]].eval;
            while (at[r] < curve.size() && curve.step[at[r]] < first.step[row]) ++at[r];
            const std::size_t i = at[r];
            everyone &= i < curve.size() && curve.step[i] == first.step[row];
            if (!everyone) break;
            tokens += curve.tokens[i], gradients += curve.gradients[i];
            flops += curve.flops[i], seconds += curve.seconds[i], wall += curve.wall[i], loss += curve.loss[i];
        }
        if (!everyone) continue;
        line.step = first.step[row];
        line.tokens = tokens / n, line.gradients = gradients / n;
        line.model_flops = flops / n, line.train_s = seconds / n, line.wall_s = wall / n, line.loss = loss / n;
        mean.add(line);
    }
    return mean;
}

std::optional<GoodRegion> good_region(const Arm& arm, double tolerance) {
    if (arm.points.size() < 2 || !std::isfinite(arm.chosen().score)) return std::nullopt;
    const double most = arm.chosen().score + tolerance;
    // From the best point outwards while the loss stays below; then the place between two points where it crosses.
    const auto walk = [&](int by, double& edge, bool& open) {
        std::size_t at = arm.best;
        open = true;
        for (;;) {
            edge = arm.points[at].learning_rate;
            if ((by < 0 && at == 0) || (by > 0 && at + 1 == arm.points.size())) return;
            const ArmPoint &here = arm.points[at], &next = arm.points[at + by];
            const bool bad = !std::isfinite(next.score) || next.diverged > arm.chosen().diverged;
            if (!bad && next.score <= most) {
                at += by;
                continue;
            }
            open = false;
            // Where a neighbour diverged nothing is known of the way there.
            if (bad) return;
            const double f = (most - here.score) / (next.score - here.score);
            edge = here.learning_rate * std::pow(next.learning_rate / here.learning_rate, f);
            return;
        }
    };
    GoodRegion region{};
    walk(-1, region.low, region.open_low), walk(1, region.high, region.open_high);
    return region;
}

}  // namespace steepest::report
