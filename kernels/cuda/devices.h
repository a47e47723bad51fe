#pragma once
// Which GPUs this machine has, as the CUDA runtime sees them. The same answer to the same question in a build without
// CUDA.
#include <string>
#include <vector>

namespace steepest {

struct CudaDevices {
    std::vector<std::string> names;  // e.g. "NVIDIA H100 80GB HBM3, sm_90, 79 GiB"
    std::string absence;             // why there are none; empty if there are some
};

CudaDevices cuda_devices();

}  // namespace steepest
