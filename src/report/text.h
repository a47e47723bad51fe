#pragma once
// Numbers as the comparison's tables spell them.
#include "report/align.h"

#include <string>

namespace steepest::report {

inline constexpr int kLossDecimals = 4;

// More digits for what is quick, so that the ratios can be checked by eye.
std::string seconds_text(double seconds);
// "2.29x": the baseline's count over the run's; "-" where either is unknown.
std::string ratio_text(double baseline, double run);
// A place on the axis: "step 1,200", "12.5 s".
std::string axis_text(Axis axis, double x);
// "gluon (reconstruction)".
std::string labelled(const std::string& name, bool reconstruction);
// Four significant digits.
std::string brief_number(double value);

}  // namespace steepest::report
