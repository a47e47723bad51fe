#pragma once
// Runs grouped into arms: an arm is a config but for seed and learning rate, a point of it one learning rate.
#include "report/align.h"
#include "report/statistics.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace steepest::report {

struct ArmPoint {
    // Of the arm's first group whose rate varies between its runs (lr_scale times learning_rate), else of the first
    // group; NaN where there is no config.
    double learning_rate = kUnknown;
    std::vector<std::size_t> runs;    // all, by index
    std::vector<std::size_t> usable;  // the first of each seed, with a finite loss to compare
    std::vector<double> losses;       // one a usable run, in nats a token
    std::size_t diverged = 0;
    Summary loss{};
    // What points of an arm are told apart by: the mean loss over the seeds that all of them were run with, over its
    // own where there are no such. NaN if none of those is usable.
    double score = kUnknown;
};

struct Arm {
    std::string name;              // the optimizer's, and what tells arms of one optimizer apart
    bool reconstruction = false;   // see RunRecord
    std::vector<ArmPoint> points;  // by learning rate
    std::size_t best = 0;          // the point with the fewest diverged runs, of those the one with the least score
    std::size_t choosing = 0;      // seeds at the best point that were also run at another: they chose it
    const ArmPoint& chosen() const { return points[best]; }
    bool at_edge() const { return points.size() > 1 && (best == 0 || best + 1 == points.size()); }
};

struct Arms {
    std::vector<Arm> arms;  // in order of their first runs
    // The losses compared are those at this place of the axis, the last that all finished runs reach (all that did not
    // diverge, where none is finished); `ends_differ` where some go further, otherwise it is everyone's final loss. A
    // diverged run, and one that does not get there, has no loss.
    Axis axis = Axis::step;
    CommonEnd end;
    // Whether arms say more than runs do: some arm has several seeds or learning rates.
    bool worth_showing = false;
};
Arms arms_of(std::span<const RunRecord> runs, Axis axis);

// Two arms at their best points. Paired over the seeds both have where those share initial weights and data (hashes and
// seeds of the logs), else Welch's.
struct ArmDifference {
    bool paired = false;
    std::size_t n = 0, n_other = 0;  // pairs; or runs of each side
    Difference loss{};
};
ArmDifference difference_of(std::span<const RunRecord> runs, const Arm& arm, const Arm& baseline);

// Mean of the best point's usable curves on the evaluations they all have; every column is the runs' mean.
Curve mean_curve(std::span<const RunRecord> runs, const ArmPoint& point);

// The learning rates whose score is within `tolerance` of the best, between points linear in log(rate). Open where
// the region goes to the edge of what was tried. Nothing for fewer than two rates.
struct GoodRegion {
    double low, high;
    bool open_low, open_high;
};
std::optional<GoodRegion> good_region(const Arm& arm, double tolerance);

}  // namespace steepest::report
