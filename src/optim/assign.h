#pragma once
// Which group each parameter belongs to: exactly one, or an error that names it.
#include "optim/binding.h"
#include "optim/config.h"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace steepest {

// The members of every group, by group name, in table order. Throws InputError where a parameter belongs to two groups
// or to none, where a group has no parameter, and where geometry, scaling or split have no meaning for a shape.
// Members point into `specs`.
std::map<std::string, std::vector<Member>> assign(const OptimizerConfig& config, std::span<const ParamSpec> specs);

}  // namespace steepest
