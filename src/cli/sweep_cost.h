#pragma once
// What the runs of a sweep will cost: work, disk, and seconds from the runs that are done and from a few timed steps.
#include "sweep/plan.h"
#include "train/run_config.h"

#include <string>
#include <vector>

namespace steepest::cli {

struct RunCost {
    double flops = 0;       // of all steps, without evaluations
    double disk_bytes = 0;  // of checkpoints and log
    double seconds = 0;     // alone on its threads, evaluations included; NaN where nothing tells
};

struct SweepCost {
    std::vector<RunCost> runs;
    std::string rests_on;  // what the seconds do, for people
};

// Of those runs for which `wanted` holds. Runs whose steps do the same work take the same time: that of the finished
// ones among them in `folder`, or else of a few steps taken here, some seconds in all. What is too large for that is
// scaled by its FLOPs from what was timed, or stays unknown.
SweepCost sweep_cost(const std::string& folder, const std::vector<sweep::PlannedRun>& runs,
                     const std::vector<RunConfig>& configs, const std::vector<bool>& wanted);

}  // namespace steepest::cli
