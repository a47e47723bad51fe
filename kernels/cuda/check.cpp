#include "kernels/cuda/check.h"

#include "core/error.h"

#include <string>

namespace steepest::cuda {

void fail(std::string_view why, std::string_view what, Here at) {
    int device = -1;
    cudaDeviceProp properties{};
    std::string place = ", on a device that cannot be asked";
    if (cudaGetDevice(&device) == cudaSuccess && cudaGetDeviceProperties(&properties, device) == cudaSuccess)
        place = ", on device " + std::to_string(device) + " (" + properties.name + ")";
    throw DeviceError(std::string(what) + ": " + std::string(why) + ", at " + at.file + ":" + std::to_string(at.line) +
                      place);
}

void fail(cudaError_t error, std::string_view what, Here at) {
    fail(std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ")", what, at);
}

}  // namespace steepest::cuda
