#pragma once
// What was executed: a trace as it happens, and sums for each kernel at exit.
#include "tests/gpu_sim/machine/machine.h"

#include <cstdio>

namespace gpu_sim {

class Record {
public:
    Record();

    void trace(int device, const std::string& where, const std::string& what);
    // Null if nobody wants counters, which cost time.
    KernelCounters* of_kernel(const std::string& name);
    void count_library_call(const std::string& shape);
    // The JSON file; does nothing unless GPU_SIM_COUNTERS is set.
    void write() const;

private:
    std::FILE* trace_ = nullptr;
    std::map<std::string, KernelCounters> kernels_;
    std::map<std::string, std::uint64_t> library_;
};

// steepest::(anonymous namespace)::add<float> rather than _ZN..., without the parameters.
std::string readable(const std::string& mangled);

}  // namespace gpu_sim
