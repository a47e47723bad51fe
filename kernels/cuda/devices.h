#pragma once
// Which GPUs this machine has, as the CUDA runtime sees them, and one of them as a backend. The same in a build without
// CUDA, which has none.
#include "core/device.h"

#include <memory>
#include <string>
#include <vector>

namespace steepest {

struct CudaDevices {
    struct Entry {
        std::string name;      // e.g. "NVIDIA H100 80GB HBM3, sm_90, 79 GiB"
        std::string unusable;  // why the kernels cannot run on it; empty if they can
    };
    std::vector<Entry> all;  // by index
    std::string absence;     // why there are none; empty if there are some
};

CudaDevices cuda_devices();

struct CudaOptions {
    bool graphs = true;              // steps are recorded once and launched whole
    bool tf32 = false;               // products of f32 matrices round their operands to 11 bits
    bool search_algorithms = false;  // time the proposals for each product instead of taking the first
};

// A GPU, owned. Cuda itself (kernels/cuda/cuda.h) needs NVIDIA's headers.
class CudaBackend {
public:
    virtual ~CudaBackend() = default;
    virtual Device device() = 0;
    virtual std::string describe() const = 0;
};

// Throws InputError if there is no device `index` or it cannot be used, or this build is without CUDA.
std::unique_ptr<CudaBackend> open_cuda(int index, const CudaOptions& options);

}  // namespace steepest
