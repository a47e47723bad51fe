#pragma once
// The PTX inside what nvcc embeds in an object file. A fat binary is a header and entries, each PTX or machine code for
// one architecture, plain or compressed (LZ4 until CUDA 12.x, zstd since); NVIDIA documents none of this, the layout
// here was read off nvcc 13.0's output.
#include <string>

namespace gpu_sim {

// `wrapper` is the argument of __cudaRegisterFatBinary. Of several PTX entries the one for the lowest architecture.
// Throws std::runtime_error if there is no PTX.
std::string ptx_of(const void* wrapper);

}  // namespace gpu_sim
