#pragma once
// A module's text, its variables' addresses and the kernels decoded so far.
#include "tests/gpu_sim/machine/decoding.h"
#include "tests/gpu_sim/machine/machine.h"

namespace gpu_sim {

struct Module::State {
    std::string ptx;  // what the views of `text` point into
    ptx::Text text;
    DeviceMemory* memory = nullptr;
    std::unordered_map<std::string_view, std::uint64_t> variables;
    struct Kernel {
        std::unique_ptr<Program> program;
        KernelInfo info;
    };
    std::unordered_map<std::string, Kernel> kernels;

    Kernel& kernel(const std::string& name);
    const Program& program(const std::string& name) { return *kernel(name).program; }
};

}  // namespace gpu_sim
