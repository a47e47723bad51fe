#include "tests/gpu_sim/runtime/device_limits.h"

#include "tests/gpu_sim/runtime/runtime.h"

#include <cstring>

namespace gpu_sim {

namespace {
constexpr DeviceLimits kA100{8, 0, 108, 2048, 32, 164 << 10, 163 << 10, 40 << 20, 5120, 1'215'000, 1'410'000};
constexpr DeviceLimits kH100{9, 0, 132, 2048, 32, 228 << 10, 227 << 10, 50 << 20, 5120, 2'619'000, 1'980'000};
constexpr DeviceLimits kRtx4090{8, 9, 128, 1536, 24, 100 << 10, 99 << 10, 72 << 20, 384, 10'501'000, 2'520'000};
}  // namespace

const DeviceLimits& limits() {
    const std::string& name = environment().device;
    return name == "h100" ? kH100 : name == "rtx4090" ? kRtx4090 : kA100;
}

cudaDeviceProp properties(int device) {
    const DeviceLimits& l = limits();
    cudaDeviceProp p{};
    std::strcpy(p.name, "gpu_sim");
    p.uuid.bytes[0] = char(device + 1);
    p.totalGlobalMem = environment().device_memory;
    p.sharedMemPerBlock = 48 << 10;
    p.sharedMemPerBlockOptin = l.shared_opt_in;
    p.sharedMemPerMultiprocessor = l.shared_per_multiprocessor;
    p.reservedSharedMemPerBlock = 1024;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.warpSize = 32;
    p.memPitch = 0x7fffffff;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024, p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 0x7fffffff, p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.totalConstMem = 64 << 10;
    p.major = l.major, p.minor = l.minor;
    p.textureAlignment = 512;
    p.multiProcessorCount = l.multiprocessors;
    p.canMapHostMemory = 1;
    p.concurrentKernels = 1;
    p.ECCEnabled = 1;
    p.pciBusID = device + 1;
    p.asyncEngineCount = 3;
    p.unifiedAddressing = 1;
    p.memoryBusWidth = l.memory_bus_bits;
    p.l2CacheSize = l.l2_bytes;
    p.maxThreadsPerMultiProcessor = l.threads_per_multiprocessor;
    p.maxBlocksPerMultiProcessor = l.blocks_per_multiprocessor;
    p.streamPrioritiesSupported = 1;
    p.globalL1CacheSupported = p.localL1CacheSupported = 1;
    p.managedMemory = 1;
    p.hostRegisterSupported = 1;
    p.memoryPoolsSupported = 1;
    p.gpuPciDeviceID = 0;
    return p;
}

int attribute(cudaDeviceAttr which, int device) {
    const DeviceLimits& l = limits();
    const cudaDeviceProp p = properties(device);
    switch (which) {
        case cudaDevAttrMaxThreadsPerBlock:
            return p.maxThreadsPerBlock;
        case cudaDevAttrMaxBlockDimX:
            return p.maxThreadsDim[0];
        case cudaDevAttrMaxBlockDimY:
            return p.maxThreadsDim[1];
        case cudaDevAttrMaxBlockDimZ:
            return p.maxThreadsDim[2];
        case cudaDevAttrMaxGridDimX:
            return p.maxGridSize[0];
        case cudaDevAttrMaxGridDimY:
            return p.maxGridSize[1];
        case cudaDevAttrMaxGridDimZ:
            return p.maxGridSize[2];
        case cudaDevAttrMaxSharedMemoryPerBlock:
            return int(p.sharedMemPerBlock);
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            return int(p.sharedMemPerBlockOptin);
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
            return int(p.sharedMemPerMultiprocessor);
        case cudaDevAttrReservedSharedMemoryPerBlock:
            return int(p.reservedSharedMemPerBlock);
        case cudaDevAttrTotalConstantMemory:
            return int(p.totalConstMem);
        case cudaDevAttrWarpSize:
            return p.warpSize;
        case cudaDevAttrMaxRegistersPerBlock:
            return p.regsPerBlock;
        case cudaDevAttrMaxRegistersPerMultiprocessor:
            return p.regsPerMultiprocessor;
        case cudaDevAttrClockRate:
            return l.clock_khz;
        case cudaDevAttrMemoryClockRate:
            return l.memory_clock_khz;
        case cudaDevAttrGlobalMemoryBusWidth:
            return p.memoryBusWidth;
        case cudaDevAttrMultiProcessorCount:
            return p.multiProcessorCount;
        case cudaDevAttrMaxThreadsPerMultiProcessor:
            return p.maxThreadsPerMultiProcessor;
        case cudaDevAttrMaxBlocksPerMultiprocessor:
            return p.maxBlocksPerMultiProcessor;
        case cudaDevAttrL2CacheSize:
            return p.l2CacheSize;
        case cudaDevAttrComputeCapabilityMajor:
            return p.major;
        case cudaDevAttrComputeCapabilityMinor:
            return p.minor;
        case cudaDevAttrAsyncEngineCount:
            return p.asyncEngineCount;
        case cudaDevAttrConcurrentKernels:
            return p.concurrentKernels;
        case cudaDevAttrEccEnabled:
            return p.ECCEnabled;
        case cudaDevAttrPciBusId:
            return p.pciBusID;
        case cudaDevAttrPciDeviceId:
            return p.pciDeviceID;
        case cudaDevAttrPciDomainId:
            return p.pciDomainID;
        case cudaDevAttrUnifiedAddressing:
            return p.unifiedAddressing;
        case cudaDevAttrCanMapHostMemory:
            return p.canMapHostMemory;
        case cudaDevAttrManagedMemory:
            return p.managedMemory;
        case cudaDevAttrMemoryPoolsSupported:
            return p.memoryPoolsSupported;
        case cudaDevAttrStreamPrioritiesSupported:
            return p.streamPrioritiesSupported;
        case cudaDevAttrHostRegisterSupported:
            return p.hostRegisterSupported;
        case cudaDevAttrCooperativeLaunch:
        case cudaDevAttrClusterLaunch:
        case cudaDevAttrIntegrated:
        case cudaDevAttrKernelExecTimeout:
        case cudaDevAttrComputeMode:
        case cudaDevAttrConcurrentManagedAccess:
        case cudaDevAttrPageableMemoryAccess:
            return 0;
        default:
            unimplemented("cudaDeviceGetAttribute", ("attribute " + std::to_string(int(which))).c_str());
    }
}

}  // namespace gpu_sim
