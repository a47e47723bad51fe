#pragma once
// What is drawn for all parameters: for whom, and not for rows that exist for alignment only.
#include "optim/binding.h"

#include <span>
#include <vector>

namespace steepest {

// All parameters, each whole.
std::vector<Member> members_of(std::span<const ParamSpec> specs);

// Sets those rows of tensors that have the parameters' shapes to zero.
void clear_padding(Device device, std::span<const Member> members, const TensorList& list);

}  // namespace steepest
