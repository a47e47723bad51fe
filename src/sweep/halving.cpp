#include "sweep/halving.h"

#include <algorithm>
#include <cmath>

namespace steepest::sweep {

namespace {

struct Contender {
    std::vector<std::size_t> runs;  // one a seed
    double score = 0;
};

// By arm, or all in one; in order of the plan.
std::map<std::string, std::vector<Contender>> contests(const std::vector<PlannedRun>& runs,
                                                       const HalvingConfig& config) {
    std::map<std::string, std::vector<Contender>> groups;
    std::map<std::size_t, std::size_t> at;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        auto& group = groups[config.among == "arm" ? runs[i].arm : ""];
        const auto [found, fresh] = at.try_emplace(runs[i].point, group.size());
        if (fresh) group.emplace_back();
        group[found->second].runs.push_back(i);
    }
    return groups;
}

// False if a loss is missing.
bool score(std::vector<Contender>& points, std::size_t rung, const RungLoss& loss) {
    for (Contender& point : points) {
        point.score = 0;
        for (const std::size_t run : point.runs) {
            const std::optional<double> value = loss(run, rung);
            if (!value) return false;
            point.score += *value / static_cast<double>(point.runs.size());
        }
    }
    return true;
}

}  // namespace

std::vector<std::int64_t> rung_steps(const HalvingConfig& config, std::int64_t steps, std::int64_t evaluate_every) {
    std::vector<std::int64_t> rungs;
    if (config.rungs.empty()) return rungs;
    if (evaluate_every == 0) throw InputError("halving compares evaluations, and evaluation.every is 0");
    for (const double fraction : config.rungs) {
        const auto step = static_cast<std::int64_t>(std::ceil(fraction * static_cast<double>(steps) - 1e-6));
        const std::int64_t rung = (step + evaluate_every - 1) / evaluate_every * evaluate_every;
        if (rung >= steps || (!rungs.empty() && rung <= rungs.back()))
            throw InputError("the rung at " + Json(fraction).dump() + " of " + std::to_string(steps) +
                             " steps is put off to the evaluation at step " + std::to_string(rung) +
                             (rung >= steps ? ", not before the end" : ", which is a rung already") +
                             "; evaluation.every is " + std::to_string(evaluate_every));
        rungs.push_back(rung);
    }
    return rungs;
}

std::vector<Standing> standings(const std::vector<PlannedRun>& runs, const HalvingConfig& config,
                                const RungLoss& loss) {
    std::vector<Standing> all(runs.size());
    for (auto& [name, points] : contests(runs, config))
        for (std::size_t rung = 0; rung < config.rungs.size(); ++rung) {
            if (!score(points, rung, loss)) break;
            std::ranges::stable_sort(points, {}, &Contender::score);
            const auto most = static_cast<std::size_t>(std::ceil(config.keep * std::ssize(points) - 1e-9));
            std::size_t kept = 0;
            while (kept < std::min(most, points.size()) && std::isfinite(points[kept].score)) ++kept;
            for (std::size_t i = 0; i < points.size(); ++i)
                for (const std::size_t run : points[i].runs) {
                    if (i < kept)
                        ++all[run].rung;
                    else
                        all[run].stopped = true;
                }
            points.resize(kept);
            // In order of the plan again, so that a tie at the next rung does not depend on this one.
            std::ranges::sort(points, {}, [](const Contender& point) { return point.runs.front(); });
        }
    return all;
}

}  // namespace steepest::sweep
