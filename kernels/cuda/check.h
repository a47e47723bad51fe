#pragma once
// CUDA's error codes as exceptions that name the call, its place and the device.
#include <cuda_runtime_api.h>
#include <string_view>

namespace steepest::cuda {

// Where in the source a call stands. Not a default member initializer of an argument: nvcc 13.0 gives that the wrong
// line, or aborts.
struct Here {
    const char* file;
    int line;
    static constexpr Here now(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

// Throws DeviceError: `what` (the call, or the kernel), why it failed, file and line, and the device that is current.
[[noreturn]] void fail(std::string_view why, std::string_view what, Here at);
[[noreturn]] void fail(cudaError_t error, std::string_view what, Here at);

inline void check(cudaError_t error, std::string_view what, Here at = Here::now()) {
    if (error != cudaSuccess) [[unlikely]]
        fail(error, what, at);
}

}  // namespace steepest::cuda
