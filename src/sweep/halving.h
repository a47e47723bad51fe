#pragma once
// Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): runs compete at fractions of their steps, the
// rungs, and those that lose are stopped there. The others go on from their checkpoints, under the schedule of the
// whole run, so that a survivor is the very run it would have been alone.
#include "sweep/plan.h"

#include <functional>
#include <optional>

namespace steepest::sweep {

// The steps of a run's rungs, each rounded up to the next of its evaluations. Throws InputError where there are no
// evaluations, or where two rungs, or a rung and the end, become one step.
std::vector<std::int64_t> rung_steps(const HalvingConfig& config, std::int64_t steps, std::int64_t evaluate_every);

struct Standing {
    std::size_t rung = 0;  // how many it has been let past
    bool stopped = false;  // at the next one
};

// The validation loss of a run at a rung (indices): infinite if it will never get there, nothing if it has not yet.
using RungLoss = std::function<std::optional<double>(std::size_t run, std::size_t rung)>;

// Where every run stands, as a function of those losses alone. Points compete, by their mean over the seeds, so that
// all seeds of a point share its fate; of n points at a rung, keep * n go on, rounded up. A point that lost a seed does
// not go on. Equal points: the first of the plan. A rung is decided when all that compete have their loss.
std::vector<Standing> standings(const std::vector<PlannedRun>& runs, const HalvingConfig& config, const RungLoss& loss);

}  // namespace steepest::sweep
