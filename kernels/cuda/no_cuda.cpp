#include "core/error.h"
#include "kernels/cuda/devices.h"

namespace steepest {

constexpr const char* kAbsence = "this build was made without a CUDA toolkit";

CudaDevices cuda_devices() { return {.all = {}, .absence = kAbsence}; }

std::unique_ptr<CudaBackend> open_cuda(int index, const CudaOptions&) {
    throw InputError("cuda:" + std::to_string(index) + ": " + kAbsence);
}

}  // namespace steepest
