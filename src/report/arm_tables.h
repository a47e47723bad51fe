#pragma once
// What `steepest compare` prints of many runs: one line an arm.
#include "report/arms.h"

#include <span>
#include <string>

namespace steepest::report {

inline constexpr double kGoodTolerance = 0.05;  // nats a token above the best loss

// Each arm at its best learning rate: rate, seeds, loss with standard error and 95 % interval, least loss, diverged
// runs of all, and the difference to the baseline with its interval and verdict. Footnotes say what the marks mean.
std::string arm_table(std::span<const RunRecord> runs, const Arms& arms, std::size_t baseline);

// Each arm's mean curve: steps, gradients and training seconds to the baseline's loss with ratios as comparison_table
// has them, milliseconds a step, the optimizer's share, optimizer state.
std::string arm_cost_table(std::span<const RunRecord> runs, const Arms& arms, std::size_t baseline);

// Under each target the arm's runs at the best rate that reached it, and of the mean curve steps, tokens, training
// seconds and seconds with evaluation.
std::string arm_target_table(std::span<const RunRecord> runs, const Arms& arms, std::span<const double> targets);

// Loss against learning rate, one line an arm and rate (of very many, the best ones), and the width of
// the good region. Empty where no arm has two.
std::string learning_rate_table(const Arms& arms);

}  // namespace steepest::report
