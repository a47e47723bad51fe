// Registration by nvcc's generated code, kernel launches, what a kernel needs.
#include "tests/gpu_sim/runtime/device_limits.h"
#include "tests/gpu_sim/runtime/launch.h"

#include <cstring>

using namespace gpu_sim;

namespace {

// <<<...>>> pushes, the stub pops.
struct Configuration {
    dim3 grid, block;
    std::size_t shared;
    cudaStream_t stream;
};
thread_local std::vector<Configuration> configurations;

cudaError_t launch_by(const char* name, const void* function, dim3 grid, dim3 block, void** arguments,
                      std::size_t shared, cudaStream_t stream) {
    return call(name, [&](Runtime& r) { launch(r, r.stream(stream), function, grid, block, arguments, shared); });
}

FatBinary& binary_of(void** handle) { return *reinterpret_cast<FatBinary*>(handle); }

}  // namespace

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    auto binary = std::make_unique<FatBinary>();
    binary->wrapper = wrapper;
    FatBinary* address = binary.get();
    r.registry.binaries[address] = std::move(binary);
    return reinterpret_cast<void**>(address);
}

void __cudaRegisterFatBinaryEnd(void**) {}
// The process is about to end; what it launched last may still run.
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }

void __cudaRegisterFunction(void** handle, const char* host, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    r.registry.functions[host] = Function{&binary_of(handle), host, name, readable(name)};
}

void __cudaRegisterVar(void** handle, char* host, char*, const char* name, int, size_t bytes, int, int) {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    r.registry.variables[host] = Variable{&binary_of(handle), name, bytes};
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, CUstream_st* stream) {
    configurations.push_back({grid, block, shared, stream});
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
    if (configurations.empty()) return cudaErrorMissingConfiguration;
    const Configuration c = configurations.back();
    configurations.pop_back();
    *grid = c.grid, *block = c.block, *shared = c.shared;
    std::memcpy(stream, &c.stream, sizeof c.stream);
    return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host) {
    return call(__func__, [&](Runtime& r) { *kernel = reinterpret_cast<cudaKernel_t>(&r.registry.function(host)); });
}

cudaError_t cudaGetKernel(cudaKernel_t* kernel, const void* host) { return __cudaGetKernel(kernel, host); }

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared,
                               cudaStream_t stream) {
    return launch_by("kernel launch", kernel, grid, block, arguments, shared, stream);
}

cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared,
                                    cudaStream_t stream) {
    return launch_by("kernel launch", kernel, grid, block, arguments, shared, stream ? stream : cudaStreamPerThread);
}

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, size_t shared,
                             cudaStream_t stream) {
    return launch_by(__func__, function, grid, block, arguments, shared, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function, void** arguments) {
    for (unsigned i = 0; i < config->numAttrs; ++i) {
        const auto id = config->attrs[i].id;
        // A hint, and an overlap that a lazy queue does not show.
        if (id != cudaLaunchAttributePriority && id != cudaLaunchAttributeProgrammaticStreamSerialization &&
            id != cudaLaunchAttributeIgnore)
            unimplemented(__func__, ("launch attribute " + std::to_string(id)).c_str());
    }
    return launch_by(__func__, function, config->gridDim, config->blockDim, arguments, config->dynamicSmemBytes,
                     config->stream);
}

cudaError_t cudaFuncSetAttribute(const void* handle, cudaFuncAttribute attribute, int value) {
    return call(__func__, [&](Runtime& r) {
        Function& function = r.registry.function(handle);
        if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return;  // a hint
        require(attribute == cudaFuncAttributeMaxDynamicSharedMemorySize, cudaErrorInvalidValue,
                "attribute " + std::to_string(int(attribute)));
        const auto& info = kernel_info(r.device(), function);
        const int limit = int(limits().shared_opt_in) - int(info.static_shared);
        require(value >= 0 && value <= limit, cudaErrorInvalidValue,
                function.display + ": " + std::to_string(value) + " bytes of dynamic shared memory; this device has " +
                    std::to_string(limit) + " beside the kernel's static ones");
        function.max_dynamic_shared = unsigned(value);
        function.raised = true;
    });
}

// Asks the program, not the device: answers even when a fault makes every other call fail.
cudaError_t cudaFuncGetName(const char** name, const void* handle) {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    try {
        *name = r.registry.function(handle).name.c_str();
        return cudaSuccess;
    } catch (const Error& e) {
        return detail::failed(__func__, e.code, e.what());
    }
}

cudaError_t cudaFuncSetCacheConfig(const void*, cudaFuncCache) { return cudaSuccess; }

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* handle) {
    return call(__func__, [&](Runtime& r) {
        const Function& function = r.registry.function(handle);
        const auto& info = kernel_info(r.device(), function);
        *attributes = {};
        attributes->sharedSizeBytes = info.static_shared;
        attributes->localSizeBytes = info.local_bytes;
        attributes->maxThreadsPerBlock = int(info.max_threads ? info.max_threads : 1024);
        attributes->numRegs = registers_assumed(info);
        attributes->ptxVersion = 80;
        attributes->binaryVersion = limits().major * 10 + limits().minor;
        attributes->maxDynamicSharedSizeBytes = int(dynamic_shared_limit(function, info));
        attributes->preferredShmemCarveout = -1;
    });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* handle, int threads, size_t shared) {
    return call(__func__, [&](Runtime& r) {
        const Function& function = r.registry.function(handle);
        *blocks = blocks_per_multiprocessor(kernel_info(r.device(), function), threads, shared);
    });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* handle, int threads,
                                                                   size_t shared, unsigned) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, handle, threads, shared);
}

}  // extern "C"
