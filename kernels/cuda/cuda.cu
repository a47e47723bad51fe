// The device, its memory and its stream.
#include "core/device.h"
#include "core/error.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/matmuls.h"

#include <algorithm>

namespace steepest {

using cuda::check;

namespace {

// The device must be the thread's before the stream is made.
int make_current(int index) {
    check(cudaSetDevice(index), "cudaSetDevice(" + std::to_string(index) + ")");
    return index;
}

std::string version(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

}  // namespace

Cuda::Cuda(int index, const CudaOptions& options) : index_(make_current(index)), options_(options) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    name_ = cuda::name_of(properties);
    if (const std::string why = cuda::unusable(properties); !why.empty())
        throw DeviceError("device " + std::to_string(index) + " (" + name_ + ") cannot be used: " + why);
    multiprocessors_ = properties.multiProcessorCount;
    memory_ = static_cast<std::int64_t>(properties.totalGlobalMem);
    matmuls_ = std::make_unique<cuda::Matmuls>();
    matmuls_->options = {.search = options.search_algorithms, .tf32 = options.tf32};
}

Cuda::~Cuda() {
    for (const Block& block : scratch_) cudaFree(block.data);
}

void Cuda::synchronize() const { compute_.synchronize(); }

std::string Cuda::identity() const {
    int runtime = 0;
    cudaRuntimeGetVersion(&runtime);
    return name_ + "; runtime " + version(runtime) + "; matmul: " + matmuls_->describe();
}

std::string Cuda::describe() const {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    return "cuda:" + std::to_string(index_) + ": " + identity() + "; driver " + version(driver);
}

void* Cuda::scratch(std::int64_t bytes) {
    if (scratch_.empty() || scratch_.back().bytes < bytes) {
        const std::int64_t size = std::max(bytes, scratch_.empty() ? std::int64_t{1} << 20 : 2 * scratch_.back().bytes);
        scratch_.push_back({allocate(*this, size), size});
    }
    return scratch_.back().data;
}

std::int64_t free_bytes(Cuda&) {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return static_cast<std::int64_t>(free);
}

void* allocate(Cuda&, std::int64_t bytes) {
    void* data = nullptr;
    if (const cudaError_t error = cudaMalloc(&data, static_cast<std::size_t>(bytes)); error != cudaSuccess) {
        std::size_t free = 0, total = 0;
        if (error != cudaErrorMemoryAllocation || cudaMemGetInfo(&free, &total) != cudaSuccess)
            cuda::fail(error, "cudaMalloc", cuda::Here::now());
        throw DeviceError("cannot allocate " + std::to_string(bytes >> 20) + " MiB on the GPU: " +
                          std::to_string(free >> 20) + " of its " + std::to_string(total >> 20) + " MiB are free");
    }
    return data;
}

void release(Cuda&, void* data, std::int64_t) { cudaFree(data); }

void copy_to_device(Cuda& cuda, void* device, const void* host, std::int64_t bytes) {
    check(cudaMemcpyAsync(device, host, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice, cuda.compute()),
          "cudaMemcpyAsync to the device");
    cuda.synchronize();
}

void copy_to_host(Cuda& cuda, void* host, const void* device, std::int64_t bytes) {
    check(cudaMemcpyAsync(host, device, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, cuda.compute()),
          "cudaMemcpyAsync to the host");
    cuda.synchronize();
}

void fill_zero(Cuda& cuda, void* device, std::int64_t bytes) {
    check(cudaMemsetAsync(device, 0, static_cast<std::size_t>(bytes), cuda.compute()), "cudaMemsetAsync");
}

void synchronize(Cuda& cuda) { cuda.synchronize(); }

OpHooks& hooks(Cuda& cuda) { return cuda.hooks; }

namespace cuda {

std::string name_of(const cudaDeviceProp& properties) {
    return std::string(properties.name) + ", sm_" + std::to_string(properties.major) +
           std::to_string(properties.minor) + ", " + std::to_string(properties.totalGlobalMem >> 30) + " GiB";
}

std::string unusable(const cudaDeviceProp& properties) {
    return properties.major < 8 ? "it is older than sm_80 (A100), which the kernels need" : "";
}

void fail_launch(cudaError_t error, const void* kernel, const Grid& grid) {
    const auto text = [](const dim3& d) {
        return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z);
    };
    const char* name = nullptr;
    if (cudaFuncGetName(&name, kernel) != cudaSuccess || !name) name = "of unknown name";
    fail(error,
         std::string("kernel ") + name + " with " + text(grid.blocks) + " blocks of " + text(grid.threads) +
             " threads and " + std::to_string(grid.shared_bytes) + " bytes of shared memory",
         grid.at);
}

void allow_shared_bytes(const void* kernel, std::size_t bytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "cudaFuncSetAttribute(MaxDynamicSharedMemorySize)");
}

}  // namespace cuda

}  // namespace steepest
