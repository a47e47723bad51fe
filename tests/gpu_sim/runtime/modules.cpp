#include "tests/gpu_sim/runtime/modules.h"

#include "tests/gpu_sim/runtime/fatbin.h"
#include "tests/gpu_sim/runtime/runtime.h"

namespace gpu_sim {

Function& Registry::function(const void* handle) {
    const auto found = functions.find(handle);
    if (found != functions.end()) return found->second;
    // A cudaKernel_t is the address of the Function itself.
    for (auto& [host, function] : functions)
        if (&function == handle) return function;
    throw Error(cudaErrorInvalidDeviceFunction,
                hex(handle) + " is not a kernel of this program; was it compiled with -cudart shared?");
}

const Variable& Registry::variable(const void* symbol) const {
    const auto found = variables.find(symbol);
    require(found != variables.end(), cudaErrorInvalidSymbol, hex(symbol) + " is not a __device__ variable");
    return found->second;
}

const Module& LoadedModules::of(FatBinary& binary, DeviceMemory& memory) {
    auto& module = modules_[&binary];
    if (!module) {
        try {
            if (binary.ptx.empty()) binary.ptx = ptx_of(binary.wrapper);
            module = std::make_unique<Module>(binary.ptx, memory);
        } catch (const Fault& fault) {
            throw Error(cudaErrorInvalidPtx, fault.what());
        } catch (const std::runtime_error& error) {
            throw Error(cudaErrorNoKernelImageForDevice, error.what());
        }
    }
    return *module;
}

const Module::KernelInfo& kernel_info(Device& device, const Function& function) {
    const Module& module = device.modules.of(*function.binary, device.memory);
    try {
        const auto* info = module.find(function.name);
        require(info, cudaErrorInvalidDeviceFunction, "the PTX has no kernel " + function.name);
        return *info;
    } catch (const Fault& fault) {
        throw Error(cudaErrorInvalidPtx, fault.what());
    }
}

std::uint64_t address_of(Device& device, const Variable& variable) {
    const std::uint64_t address = device.modules.of(*variable.binary, device.memory).variable(variable.name);
    require(address != 0, cudaErrorInvalidSymbol, "the PTX has no variable " + variable.name);
    return address;
}

}  // namespace gpu_sim
