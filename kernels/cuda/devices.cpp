#include "kernels/cuda/devices.h"

#include "core/error.h"
#include "kernels/cuda/cuda.h"

namespace steepest {

namespace {

class Owned final : public CudaBackend {
public:
    Owned(int index, const CudaOptions& options) : cuda_(index, options) {}
    Device device() override { return &cuda_; }
    std::string describe() const override { return cuda_.describe(); }

private:
    Cuda cuda_;
};

}  // namespace

CudaDevices cuda_devices() {
    CudaDevices found;
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess || count == 0) {
        // Without a driver the runtime only says that its version, 0, is too old.
        int driver = 0;
        const bool driverless = cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0;
        found.absence = driverless                                           ? "no NVIDIA driver is installed"
                        : error == cudaErrorNoDevice || error == cudaSuccess ? "no CUDA device"
                                                                             : cudaGetErrorString(error);
        return found;
    }
    for (int i = 0; i < count; ++i) {
        cudaDeviceProp properties{};
        if (const cudaError_t error = cudaGetDeviceProperties(&properties, i); error != cudaSuccess)
            found.all.push_back({"device " + std::to_string(i), cudaGetErrorString(error)});
        else
            found.all.push_back({cuda::name_of(properties), cuda::unusable(properties)});
    }
    return found;
}

std::unique_ptr<CudaBackend> open_cuda(int index, const CudaOptions& options) {
    const CudaDevices devices = cuda_devices();
    const std::string name = "cuda:" + std::to_string(index);
    if (devices.all.empty()) throw InputError(name + ": " + devices.absence);
    if (index < 0 || index >= std::ssize(devices.all))
        throw InputError(name +
                         ": there is no such device; the last one is cuda:" + std::to_string(devices.all.size() - 1));
    const auto& [what, unusable] = devices.all[static_cast<std::size_t>(index)];
    if (!unusable.empty()) throw InputError(name + " (" + what + ") cannot be used: " + unusable);
    return std::make_unique<Owned>(index, options);
}

}  // namespace steepest
