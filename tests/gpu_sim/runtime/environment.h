#pragma once
// What the user of the stand-in runtime sets through environment variables; runtime.h lists them.
#include <cstdint>
#include <string>

namespace gpu_sim {

struct Environment {
    std::uint64_t seed = 1;
    bool races = true, uninitialised = true;
    std::string report_file, trace_file;  // empty: none
    std::uint64_t device_memory = std::uint64_t{16} << 30;
    int devices = 1;
    std::string device = "a100";
};

// Read once. Ends the process if a variable cannot be understood.
const Environment& environment();

}  // namespace gpu_sim
