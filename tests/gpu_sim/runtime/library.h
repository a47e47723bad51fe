#pragma once
// How a library over CUDA (cuBLASLt, NCCL) enqueues work that the host does in the GPU's stead.
#include "tests/gpu_sim/machine/machine.h"

#include <cuda_runtime_api.h>
#include <functional>

namespace gpu_sim {

struct LibraryTask {
    std::string what;                        // the line of the trace, and of the report
    std::function<void(DeviceMemory&)> run;  // may throw Fault; in a graph it runs at every launch
    double flops = 0;
    std::uint64_t bytes = 0;  // the least that must be read and written
};

// Ordered with kernels and copies of the stream; captured if the stream is being captured.
cudaError_t enqueue_library_task(cudaStream_t, LibraryTask);
// For a check at the call: bytes of live device memory from `pointer` to the end of its allocation, 0 if it is none.
std::uint64_t device_bytes_at(const void* pointer);
// Whether reads of memory that nobody wrote are to be reported.
bool checks_uninitialised();
// Prints, and keeps for gpu_sim_last_report().
void library_report(const std::string& text);

}  // namespace gpu_sim
