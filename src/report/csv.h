#pragma once
// Curves as CSV in long form: one row a logged step or evaluation, at full precision.
#include "report/run_record.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace steepest::report {

// Columns run, optimizer, kind (train or eval), step, tokens, gradients, flops, seconds, loss, with a header line; a
// run's rows in order of step. Quoted as RFC 4180 says, lines ended by \n; "nan" for what was not finite or not logged.
// Each row has every axis, so rows can be aligned by any of them. `out` gets the text piece by piece.
void write_curves_csv(std::span<const RunRecord> runs, const std::function<void(std::string_view)>& out);
std::string curves_csv(std::span<const RunRecord> runs);
// The same for pictures, whose legends say which runs are reconstructions: names as labelled() has them.
std::string labelled_curves_csv(std::span<const RunRecord> runs);

// A field as RFC 4180 quotes it, where it must be.
std::string quoted(const std::string& text);
// A whole number; "nan" for NaN.
std::string count_cell(double count);

}  // namespace steepest::report
