#include "optim/match.h"

#include <algorithm>
#include <fnmatch.h>

namespace steepest {

namespace {

constexpr std::string_view kRest = "rest";

}  // namespace

std::vector<std::string> Match::role_names() {
    std::vector<std::string> names;
    for (const Role r : {Role::embedding, Role::position, Role::head, Role::matrix, Role::gain, Role::bias})
        names.emplace_back(name_of(r));
    return names;
}

Match Match::everything_else() {
    Match m;
    m.rest_ = true;
    return m;
}

bool Match::takes(const ParamSpec& spec) const {
    if (rest_ || (rule_.roles.empty() && rule_.names.empty())) return false;
    const bool role = rule_.roles.empty() || std::ranges::find(rule_.roles, name_of(spec.role)) != rule_.roles.end();
    const bool name = rule_.names.empty() || std::ranges::any_of(rule_.names, [&](const std::string& pattern) {
                          return fnmatch(pattern.c_str(), spec.name.c_str(), 0) == 0;
                      });
    return role && name;
}

void Match::read(const Json* json, const Spot& at) {
    if (!json) return at.error("missing");
    if (json->is_string()) {
        if (*json != kRest)
            return at.error("expected \"rest\" or an object with roles and names, found " + brief(*json));
        *this = everything_else();
        return;
    }
    Match found;
    detail::read_struct(*json, at, found.rule_);
    *this = std::move(found);
}

Json Match::write() const { return rest_ ? Json(kRest) : write_config(rule_); }

Json Match::schema(Definitions& definitions) const {
    Rule rule;
    return Json{{"anyOf", {Json{{"const", kRest}}, detail::struct_schema(rule, definitions)}}};
}

}  // namespace steepest
