#pragma once
// Curves that others published, as runs: llm.c's main.log, and CSV.
//
// llm.c's main.log: lines "s:STEP trl:LOSS lr:RATE norm:NORM" of training, "s:STEP tel:LOSS" of validation, and
// "s:STEP eval:ACCURACY", which is not read. Its step 0 is the first update, and has the training loss of our step 1. A
// log that steps back was resumed: what was repeated counts. It has one gradient a step, and neither tokens, seconds
// nor FLOPs.
//
// CSV (RFC 4180): the columns are found by the names in its first line, in any order; others are not read.
//     run, series, name or arm            whose row it is; without any, the file is one curve
//     step or iteration                   updates done; required
//     val_loss, train_loss                nats a token; empty where there was none
//     loss or value, beside kind, split or figure: a loss by what that says, train, train_loss, eval, validation or
//                                         val_loss; rows that say something else are not read
//     tokens, gradients, flops            totals so far
//     seconds or train_time_s             training time so far, without evaluation
//     total or steps                      updates planned
//     optimizer                           for the table
// What `compare --csv` writes is such a file.
#include "report/run_record.h"

#include <string>
#include <vector>

namespace steepest::report {

// By its beginning or, for CSV, by the ending of its name.
bool is_published(const std::string& path);

// The curves of one file, in order of their first rows. Throws InputError that names the file, and the line where there
// is one, for what is empty, has no loss or no step, or a number that is none.
std::vector<RunRecord> read_published(const std::string& path, const ReadOptions& options);

}  // namespace steepest::report
