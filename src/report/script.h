#pragma once
// The scripts of scripts/, run in a Python that has what they need.
#include <string>
#include <vector>

namespace steepest::report {

struct Script {
    std::string name;     // "plot_compare.py"
    std::string library;  // that it exits with 3 without
    std::string remedy;   // "install Debian's python3-matplotlib"
};

// Calls it with a file that holds `data`, with `path`, which it makes whole or not at all, and the options. Runs in
// $STEEPEST_PYTHON if that is set, else in the first of python3 and /usr/bin/python3 that has the library. Throws
// InputError where there is none, StorageError where it exits with 6 (`path` cannot be written), Error(internal) with
// its last words for anything else.
void run_script(const Script& script, const std::string& data, const std::string& path,
                const std::vector<std::string>& options);

}  // namespace steepest::report
