#pragma once
// What the simulated GPU allows. Figures: CUDA C++ Programming Guide, "Compute Capabilities", and the data sheets.
#include <cstdint>
#include <cuda_runtime_api.h>

namespace gpu_sim {

struct DeviceLimits {
    int major, minor;
    int multiprocessors, threads_per_multiprocessor, blocks_per_multiprocessor;
    std::uint64_t shared_per_multiprocessor, shared_opt_in;
    int l2_bytes, memory_bus_bits, memory_clock_khz, clock_khz;
};
const DeviceLimits& limits();  // by GPU_SIM_DEVICE

cudaDeviceProp properties(int device);
// Ends the process for an attribute that the stand-in does not know.
int attribute(cudaDeviceAttr, int device);

}  // namespace gpu_sim
