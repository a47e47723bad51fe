#pragma once
// How an API call fails: it throws Error, and call() turns that into the code that the caller sees. What went wrong in
// words goes to stderr and to gpu_sim_last_report().
#include <cuda_runtime_api.h>
#include <stdexcept>
#include <string>

namespace gpu_sim {

struct Error : std::runtime_error {
    cudaError_t code;
    Error(cudaError_t error, const std::string& text) : std::runtime_error(text), code(error) {}
};

inline void require(bool condition, cudaError_t code, const std::string& text) {
    if (!condition) throw Error(code, text);
}

// Prints and keeps `text` as the last report.
void report(const std::string& text);
// For a function that the stand-in lacks; ends the process.
[[noreturn]] void unimplemented(const char* function, const char* detail = "");

std::string hex(std::uint64_t address);
std::string hex(const void* address);

}  // namespace gpu_sim

// Text of the latest failure in this process; empty if there was none.
extern "C" const char* gpu_sim_last_report();
