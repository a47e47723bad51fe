#include "optim/assign.h"

#include "core/error.h"

namespace steepest {

namespace {

std::string describe(const ParamSpec& spec) {
    return "parameter \"" + spec.name + "\" (" + std::string(name_of(spec.role)) + ", shape " + to_string(spec.shape) +
           ")";
}

std::string names_of(const std::map<std::string, GroupConfig>& groups) {
    std::vector<std::string> names;
    for (const auto& [name, group] : groups) names.push_back(name);
    return join(names);
}

// The group of a parameter; the one that takes the rest where no other does.
const std::string& group_of(const OptimizerConfig& config, const ParamSpec& spec) {
    const std::string *found = nullptr, *rest = nullptr;
    for (const auto& [name, group] : config.groups) {
        if (group.match.is_rest()) rest = &name;
        if (!group.match.takes(spec)) continue;
        if (found)
            throw InputError("optimizer: " + describe(spec) + " belongs to two groups, \"" + *found + "\" and \"" +
                             name + "\"");
        found = &name;
    }
    if (found) return *found;
    if (rest) return *rest;
    throw InputError("optimizer: " + describe(spec) + " belongs to no group; there are: " + names_of(config.groups) +
                     R"(; a group with "match": "rest" would take it)");
}

Member member_of(const std::string& name, const GroupConfig& group, const ParamSpec& spec, int index) {
    const std::string where = "optimizer group \"" + name + "\": ";
    const bool matrix = spec.shape.rank() == 2;
    const auto refuse = [&](const std::string& stage, const std::string& type) {
        throw InputError(where + stage + " \"" + type + "\" needs matrices; found " + describe(spec));
    };
    std::vector<const BranchConfig*> branches{&group};
    if (group.alternate) branches.push_back(&*group.alternate);
    for (const BranchConfig* b : branches) {
        if (!matrix && b->geometry.make()->needs_matrices()) refuse("geometry", b->geometry.type());
        if (!matrix && scaling_needs_matrices(b->scaling)) refuse("scaling", b->scaling);
    }
    if (!matrix && group.estimator.make()->needs_matrices()) refuse("estimator", group.estimator.type());
    if (!matrix && group.gradient.make()->needs_matrices()) refuse("gradient", group.gradient.type());
    if (!matrix && group.precondition.make()->needs_matrices()) refuse("precondition", group.precondition.type());
    if (!matrix && group.refinement.make()->needs_matrices()) refuse("refinement", group.refinement.type());
    const int blocks = group.split_qkv && matrix ? spec.row_blocks : 1;
    if (spec.shape.rows() % blocks != 0)
        throw InputError(where + "split_qkv wants " + std::to_string(blocks) + " equal blocks of rows; found " +
                         describe(spec));
    return {&spec, index, blocks};
}

}  // namespace

std::map<std::string, std::vector<Member>> assign(const OptimizerConfig& config, std::span<const ParamSpec> specs) {
    std::map<std::string, std::vector<Member>> members;
    for (const auto& [name, group] : config.groups) members[name];
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const std::string& name = group_of(config, specs[i]);
        members[name].push_back(member_of(name, config.groups.at(name), specs[i], static_cast<int>(i)));
    }
    for (const auto& [name, list] : members)
        if (list.empty())
            throw InputError("optimizer group \"" + name + "\" is empty: no parameter is left for match " +
                             config.groups.at(name).match.describe() + "; null in its place drops the group");
    return members;
}

}  // namespace steepest
