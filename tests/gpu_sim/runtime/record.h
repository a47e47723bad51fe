#pragma once
// What was executed: a trace as it happens, and a report at exit.
#include "tests/gpu_sim/machine/machine.h"
#include "tests/gpu_sim/runtime/stream.h"

#include <cstdio>

namespace gpu_sim {

class Record {
public:
    Record();

    void trace(int device, const std::string& where, const std::string& what);
    // Around the run of an operation.
    void begin(const Operation&, const std::string& where);
    void end();
    // Of the kernel that runs. Null if nobody wants a report, which costs time.
    KernelCounters* counters();
    // The report; does nothing unless GPU_SIM_REPORT is set.
    void write() const;

    std::uint64_t graph_launches = 0;

private:
    struct Executed {
        const char* kind;  // kernel, library, copy, memset or host
        std::string name, where;
        dim3 grid, block;
        unsigned shared;
        std::uint64_t bytes;
        double flops;
        KernelCounters counters;  // without opcodes
    };
    std::FILE* trace_ = nullptr;
    bool reports_;
    std::vector<Executed> executed_;
    std::map<std::string, std::map<std::string, std::uint64_t>> opcodes_;  // by kernel
};

std::FILE* open_for_writing(const std::string& path);
// steepest::(anonymous namespace)::add<float> rather than _ZN..., without the parameters.
std::string readable(const std::string& mangled);

}  // namespace gpu_sim
