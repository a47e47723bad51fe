#pragma once
// The CUDA backend: one device, the stream its ops run on, and what ops need besides their tensors. Ops return when
// they are enqueued; copy_to_host() and synchronize() wait for them.
#include "kernels/cuda/devices.h"
#include "kernels/cuda/handle.h"
#include "ops/hooks.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace steepest {

namespace cuda {
class Matmuls;

// E.g. "NVIDIA H100 80GB HBM3, sm_90, 79 GiB".
std::string name_of(const cudaDeviceProp& properties);
// Why the kernels cannot run on it; empty if they can.
std::string unusable(const cudaDeviceProp& properties);
}  // namespace cuda

class Cuda {
public:
    // Makes device `index` the calling thread's. Throws DeviceError if there is none or it cannot be used.
    explicit Cuda(int index = 0, const CudaOptions& options = {});
    Cuda(const Cuda&) = delete;
    Cuda& operator=(const Cuda&) = delete;
    ~Cuda();

    int index() const { return index_; }
    const CudaOptions& options() const { return options_; }
    // The stream of every op.
    cudaStream_t compute() const { return compute_.get(); }
    const cuda::Stream& stream() const { return compute_; }
    // Returns when every op that was run is done; throws DeviceError if one of them failed.
    void synchronize() const;
    // What results depend on besides the sources: name, architecture, runtime, cuBLASLt.
    std::string identity() const;
    // Name, architecture, memory, driver, for manifests.
    std::string describe() const;
    int multiprocessors() const { return multiprocessors_; }
    std::int64_t memory() const { return memory_; }

    // Memory of the op that asks, until the next op asks: ops follow each other on one stream. Aligned to 256 bytes.
    // Grows when it must, which a graph under capture cannot; so the first step of a kind runs before it is captured.
    // Outgrown blocks stay until the end, since captured graphs hold their addresses.
    void* scratch(std::int64_t bytes);
    template <class T>
    T* scratch(std::int64_t count) {
        return static_cast<T*>(scratch(count * static_cast<std::int64_t>(sizeof(T))));
    }

    cuda::Matmuls& matmuls() { return *matmuls_; }

    OpHooks hooks;

private:
    int index_, multiprocessors_ = 0;
    CudaOptions options_;
    std::int64_t memory_ = 0;
    std::string name_;
    cuda::Stream compute_;
    struct Block {
        void* data;
        std::int64_t bytes;
    };
    std::vector<Block> scratch_;
    std::unique_ptr<cuda::Matmuls> matmuls_;
};

}  // namespace steepest
