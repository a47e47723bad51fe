#pragma once
// A sweep as the list of its runs, in the order of its file: arms, points, draws, grids, seeds.
#include "sweep/sweep_config.h"

namespace steepest::sweep {

struct PlannedRun {
    std::string name, arm;
    std::map<std::string, Json> settings;  // every option that is set, the seed included
    std::map<std::string, Json> varied;    // those of the axes and points
    std::uint64_t seed = 0;
    std::size_t point = 0;      // equal for the seeds of one point
    std::size_t arm_index = 0;  // equal for the points of one arm
    bool first_seed = false;    // of its point
    // Whoever knows run configs fills these in.
    std::int64_t steps = 0;           // of the whole run
    std::vector<std::int64_t> rungs;  // steps at which halving compares it

    // As --set takes them: an option before the options inside it.
    std::vector<std::string> sets() const;
};

// Throws InputError for runs that would have one name, naming it.
std::vector<PlannedRun> plan(const SweepConfig& config, const std::string& source);

struct Shard {
    std::size_t index = 1, count = 1;  // index in [1, count]

    // Shards partition the runs. Those stay together of which one decides about the others.
    bool has(const PlannedRun& run, std::size_t position, SweepConfig::Unit unit) const {
        using Unit = SweepConfig::Unit;
        const std::size_t number = unit == Unit::arm ? run.arm_index : unit == Unit::point ? run.point : position;
        return number % count == index - 1;
    }
};
// "2/8". Throws InputError.
Shard parse_shard(const std::string& text);

}  // namespace steepest::sweep
