#pragma once
// What nvcc's generated code registers when a program starts: fat binaries, the kernels and variables in them. A module
// is loaded on a device when something of it is first used there.
#include "tests/gpu_sim/machine/machine.h"

#include <cuda_runtime_api.h>
#include <memory>

namespace gpu_sim {

struct Device;

struct FatBinary {
    const void* wrapper;
    std::string ptx;  // empty: not unpacked yet
};

struct Function {
    FatBinary* binary;
    const void* host;  // address of the host stub
    std::string name;  // mangled
    std::string display;
    unsigned max_dynamic_shared = 48 * 1024;  // less the static shared memory; see cudaFuncSetAttribute
    bool raised = false;
};

struct Variable {
    FatBinary* binary;
    std::string name;
    std::uint64_t bytes;
};

struct Registry {
    std::map<FatBinary*, std::unique_ptr<FatBinary>> binaries;
    std::map<const void*, Function> functions;  // by host stub
    std::map<const void*, Variable> variables;  // by host shadow

    // Accepts the address of a host stub, or a cudaKernel_t. Throws cudaErrorInvalidDeviceFunction.
    Function& function(const void* handle);
    // Throws cudaErrorInvalidSymbol.
    const Variable& variable(const void* symbol) const;
};

class LoadedModules {
public:
    const Module& of(FatBinary&, DeviceMemory&);
    void clear() { modules_.clear(); }

private:
    std::map<FatBinary*, std::unique_ptr<Module>> modules_;
};

// Throws Error if the PTX or one of its instructions is not understood.
const Module::KernelInfo& kernel_info(Device&, const Function&);
std::uint64_t address_of(Device&, const Variable&);

}  // namespace gpu_sim
