#pragma once
// What of a run's config makes its arm, its learning rate and its seed.
#include "report/run_record.h"

#include <span>
#include <string>
#include <vector>

namespace steepest::report {

// Whether a config key (a JSON pointer) is no part of what is computed: names, descriptions, paths of output.
bool is_label(std::string_view pointer);

// Equal for runs that differ in seed and learning rate alone; labels, threads, device, checkpoints and samples do not
// count. A run without a config is an arm of its own name.
std::string arm_key(const RunRecord& run);
// All of its learning rates: every group's, times lr_scale.
std::string rate_key(const RunRecord& run);
// Its seeds of initial weights, data and optimizer.
std::string seed_key(const RunRecord& run);
// For people: "3", or "1/2/1" where its parts differ.
std::string seed_label(const RunRecord& run);

// Arms by their members: the optimizer's name, then "key=value" of what differs between arms of one optimizer.
std::vector<std::string> arm_names(std::span<const RunRecord> runs,
                                   const std::vector<std::vector<std::size_t>>& members);

// The first optimizer group whose learning rate differs between the members, else the first; empty without a config.
std::string varying_group(std::span<const RunRecord> runs, std::span<const std::size_t> members);
// Of that group, times lr_scale; NaN where the config has none.
double learning_rate(const RunRecord& run, const std::string& group);

}  // namespace steepest::report
