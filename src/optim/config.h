#pragma once
// An optimizer as a config: groups of parameters, each a composition of stages. A
// paper's optimizer is one such file in configs/optimizers/.
#include "optim/averaging.h"
#include "optim/estimator.h"
#include "optim/geometry.h"
#include "optim/match.h"
#include "optim/scaling.h"
#include "optim/schedule.h"
#include "optim/step_size.h"
#include "optim/transform.h"

#include <map>
#include <optional>
#include <string>

namespace steepest {

// What of a group may be another from step to step.
struct BranchConfig {
    double learning_rate = 0;
    PluginConfig<Geometry> geometry = "identity";
    std::string scaling = "none";
    double radius = 1;

    void fields(auto& f) {
        f("learning_rate", learning_rate, "at the schedule's peak: a step is this times the scaled direction",
          Range<double>{.low = 0}, Required{});
        f("geometry", geometry, "the norm under which the step is steepest descent");
        f("scaling", scaling, "factor of the direction; rows and cols are d_out and d_in of the weight, after a split",
          OneOf(scaling_formulas()));
        f("radius", radius,
          "one more factor of the direction: with weight_decay 1, of the ball in which the weights are kept",
          Range<double>{.low = 0});
    }
};

struct AlternateConfig : BranchConfig {
    std::int64_t every = 2;

    void fields(auto& f) {
        f("every", every, "steps whose number it divides are these", Range<std::int64_t>{.low = 1});
        BranchConfig::fields(f);
    }
};

struct GroupConfig : BranchConfig {
    Match match;
    double weight_decay = 0;
    PluginConfig<Estimator> estimator;
    PluginConfig<Transform> gradient = "none", precondition = "none", refinement = "none";
    std::string length = "unit";
    PluginConfig<Averaging> averaging = "none";
    bool split_qkv = false;
    std::optional<AlternateConfig> alternate;
    std::optional<ScheduleConfig> schedule;

    void fields(auto& f) {
        f("match", match, "the parameters of this group: {\"roles\": [...], \"names\": [...]}, or \"rest\"",
          Required{});
        BranchConfig::fields(f);
        f("weight_decay", weight_decay,
          "decoupled: a step takes learning_rate * weight_decay of every weight away, scaling not included; vectors "
          "that should not decay are a group of their own",
          Range<double>{.low = 0});
        f("gradient", gradient, "what is done to the gradient, its global norm clipped, before the estimator");
        f("estimator", estimator, "what of the gradients the direction is taken of", Required{});
        f("precondition", precondition, "what is done to the estimate before the geometry");
        f("refinement", refinement, "what is done to the direction after the geometry");
        f("length", length,
          "of a direction: unit: that of the norm's unit ball; dual: times its dual norm, which is steepest descent "
          "proper; group_dual: times the sum of all dual norms of the group; group_share: times its part of their root "
          "sum of squares",
          OneOf{"unit", "dual", "group_dual", "group_share"});
        f("averaging", averaging,
          "the point that is stepped, and the one that is evaluated and exported: the weights, or a running average");
        f("split_qkv", split_qkv,
          "treat the query, key and value rows of a fused attention weight as three matrices in clipping, geometry and "
          "scaling");
        f("alternate", alternate, "steps of another geometry between the others, as LionMuon takes; null: none");
        f("schedule", schedule, "this group's own schedule; null: the optimizer's");
    }
};

struct OptimizerConfig {
    std::string name, description, paper, evidence;
    double lr_scale = 1;
    ScheduleConfig schedule;
    PluginConfig<StepSize> step_size = "schedule";
    std::optional<ZerothOrderConfig> zeroth_order;
    std::optional<PrivacyConfig> privacy;
    std::map<std::string, GroupConfig> groups;

    void fields(auto& f) {
        f("name", name, "the preset's own name, for logs and tables");
        f("description", description, "one line for lists of presets");
        f("paper", paper, "where the rule is from: an arXiv id or an address");
        f("evidence", evidence, "where the numbers below are from");
        f("lr_scale", lr_scale, "factor of every group's learning rate", Range<double>{.low = 0});
        f("schedule", schedule, "the learning rate over the run");
        f("step_size", step_size, "a factor of all groups' updates that depends on what the step would do");
        f("zeroth_order", zeroth_order, "gradients from losses alone, without a backward pass; null: by one");
        f("privacy", privacy, "gradients of single sequences, cut, summed and noised; null: those of the batch");
        f("groups", groups, "groups of parameters by name; each parameter belongs to exactly one", Required{});
    }
    void check(auto&& error) const {
        if (zeroth_order && privacy)
            error("/privacy", std::string("without gradients of sequences, which zeroth_order does without"));
        if (groups.empty()) error("/groups", std::string("empty; expected at least one group"));
        const std::string* rest = nullptr;
        for (const auto& [key, group] : groups) {
            if (!group.match.is_rest()) continue;
            if (rest) error("/groups/" + key + "/match", "group \"" + *rest + "\" takes the rest already");
            rest = &key;
        }
    }
};

}  // namespace steepest
