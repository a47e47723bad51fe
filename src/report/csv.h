#pragma once
// Curves as CSV in long form: one row a logged step or evaluation, at full precision.
#include "report/run_record.h"

#include <span>
#include <string>

namespace steepest::report {

// Columns run, optimizer, kind (train or eval), step, tokens, gradients, flops, seconds, loss, with a header line; a
// run's rows in order of step. Quoted as RFC 4180 says, lines ended by \n; "nan" for what was not finite or not logged.
// Each row has every axis, so rows can be aligned by any of them.
std::string curves_csv(std::span<const RunRecord> runs);

// A field as RFC 4180 quotes it, where it must be.
std::string quoted(const std::string& text);

}  // namespace steepest::report
