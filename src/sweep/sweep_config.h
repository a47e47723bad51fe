#pragma once
// What a sweep.json may say: a config, what is changed in it, and by what search.
#include "core/config.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace steepest::sweep {

// Any JSON, for one option of a run.
struct Setting {
    Json value;

    void read(const Json* json, const Spot& at);
    Json write() const { return value; }
    Json schema(Definitions&) const { return Json::object(); }
    void visit_presets(PresetVisitor&) const {}
};

// Option, as --set names it -> its value.
using Settings = std::map<std::string, Setting>;

// What one option is varied over: [a, b, c] is a grid; {"uniform": [low, high]}, {"log_uniform": [low, high]} and
// {"choice": [a, b, c]} are drawn from, `samples` times.
struct Axis {
    enum class Kind { grid, uniform, log_uniform, choice };
    Kind kind = Kind::grid;
    std::vector<Json> values;  // of uniform and log_uniform: the two ends

    bool random() const { return kind != Kind::grid; }
    void read(const Json* json, const Spot& at);
    Json write() const;
    Json schema(Definitions&) const { return Json{{"type", Json::array({"array", "object"})}}; }
    void visit_presets(PresetVisitor&) const {}
};

struct ArmConfig {
    std::string name;
    Settings set;
    std::map<std::string, Axis> axes;
    std::vector<Settings> points;

    void fields(auto& f) {
        f("name", name, "begins the names of its runs", Required{});
        f("set", set, "options of this arm's runs");
        f("axes", axes, "options varied in this arm, every combination");
        f("points", points, "a list of points, each some options, in place of or times the axes");
    }
};

// See halving.h.
struct HalvingConfig {
    std::vector<double> rungs;
    double keep = 0.5;
    std::string among = "arm";

    void fields(auto& f) {
        f("rungs", rungs, "fractions of a run's steps at which those that compete are compared; none: no halving",
          Range<double>{.low = 0, .high = 1, .open_low = true, .open_high = true});
        f("keep", keep, "the part of the points that goes on at a rung, rounded up",
          Range<double>{.low = 0, .high = 1, .open_low = true, .open_high = true});
        f("among", among, "who competes: the points of an arm, or all", OneOf{"arm", "all"});
    }
    void check(auto&& error) const {
        for (std::size_t i = 1; i < rungs.size(); ++i)
            if (!(rungs[i - 1] < rungs[i])) error("/rungs", "expected fractions in rising order");
    }
};

struct SweepConfig {
    std::string description, name, runs = "runs", config;
    Settings set;
    std::map<std::string, Axis> axes;
    std::vector<Settings> points;
    std::vector<ArmConfig> arms;
    std::vector<std::uint64_t> seeds = {1};
    std::int64_t samples = 0;
    std::uint64_t search_seed = 1;
    bool stop_diverged = false;
    std::int64_t seeds_for_best = 0;
    HalvingConfig halving;

    // What is decided together, by the first seeds' runs.
    enum class Unit { run, point, arm };
    Unit unit() const { return seeds_for_best > 0 ? Unit::arm : stop_diverged ? Unit::point : Unit::run; }

    void fields(auto& f) {
        f("description", description, "for people; not read");
        f("name", name, "of the sweep's folder; empty: the file's name");
        f("runs", runs, "the folder in which the sweep's folder is made");
        f("config", config, "of all runs: a file, or the name of an experiment", Required{});
        f("set", set, "options of all runs");
        f("axes", axes, "options varied in every arm, every combination");
        f("points", points, "a list of points, each some options, in place of or times the axes");
        f("arms", arms, "what is compared, each with options and axes of its own; none: one without a name");
        f("seeds", seeds, "each point is run once a seed");
        f("samples", samples, "draws of the random axes, all of them together; 0 where there are none",
          Range<std::int64_t>{0, 100000});
        f("search_seed", search_seed, "of those draws");
        f("stop_diverged", stop_diverged, "a point that diverges with its first seed is not run with the others");
        f("seeds_for_best", seeds_for_best,
          "how many points of an arm, the best by the final loss of the first seed, are run with the other seeds; 0: "
          "all",
          Range<std::int64_t>{0, 100000});
        f("halving", halving, "successive halving: the worse runs are stopped on the way");
    }
    void check(auto&& error) const {
        if (seeds.empty()) error("/seeds", "expected at least one seed");
        if (seeds_for_best > 0 && !halving.rungs.empty())
            error("/seeds_for_best",
                  "halving decides by all seeds, and this by the first one: expected one of the two");
        const auto any_random = [](const auto& list) {
            for (const auto& [path, axis] : list)
                if (axis.random()) return true;
            return false;
        };
        bool random = any_random(axes);
        for (const ArmConfig& arm : arms) random = random || any_random(arm.axes);
        if (random != (samples > 0))
            error("/samples", random ? "random axes need a number of draws above 0" : "there is no random axis");
    }
};

}  // namespace steepest::sweep
