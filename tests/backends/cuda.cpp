// What is under test in a build with CUDA: the CPU, or the first GPU if STEEPEST_TEST_DEVICE=cuda.
#include "kernels/cuda/cuda.h"

#include "tests/harness.h"

#include <cstdlib>
#include <string_view>

namespace steepest::testing {

namespace {

Cuda& gpu() {
    static Cuda cuda(0);
    return cuda;
}

}  // namespace

bool testing_cuda() {
    static const char* device = std::getenv("STEEPEST_TEST_DEVICE");
    return device && std::string_view(device) == "cuda";
}

std::vector<Backend> backends() {
    if (testing_cuda()) return {{"cuda", &gpu()}, {"cuda again", &gpu()}};
    static Cpu one(1), two(2), three(3);
    return {{"cpu1", &one}, {"cpu2", &two}, {"cpu3", &three}};
}

// Managed memory: the same address on both sides.
std::byte* allocate_for_tests(std::size_t bytes) {
    if (!testing_cuda()) return new std::byte[bytes];
    gpu();
    void* data = nullptr;
    cuda::check(cudaMallocManaged(&data, bytes), "cudaMallocManaged");
    return static_cast<std::byte*>(data);
}

void release_for_tests(std::byte* data) {
    if (!testing_cuda()) return delete[] data;
    // A destructor: what went wrong was or will be said by settle().
    cudaDeviceSynchronize();
    cudaFree(data);
}

void settle() {
    if (testing_cuda()) gpu().synchronize();
}

}  // namespace steepest::testing
