#pragma once
// What a sweep has come to, as files: results.csv, a row a run in the order of the plan, in which nothing depends on
// the clock or on the order of execution, and times.csv, which holds what does.
#include "sweep/folder.h"

namespace steepest::sweep {

// One process at a time, each file whole or not at all. Throws StorageError.
void write_results(const Folder& folder);

}  // namespace steepest::sweep
