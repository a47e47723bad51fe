#include "kernels/cuda/devices.h"

#include <cuda_runtime_api.h>

namespace steepest {

CudaDevices cuda_devices() {
    CudaDevices found;
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess || count == 0) {
        found.absence = error == cudaSuccess ? "no CUDA device" : cudaGetErrorString(error);
        return found;
    }
    for (int i = 0; i < count; ++i) {
        cudaDeviceProp properties{};
        if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
        found.names.push_back(std::string(properties.name) + ", sm_" + std::to_string(properties.major) +
                              std::to_string(properties.minor) + ", " +
                              std::to_string(properties.totalGlobalMem >> 30) + " GiB");
    }
    return found;
}

}  // namespace steepest
