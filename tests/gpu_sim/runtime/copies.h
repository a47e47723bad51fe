#pragma once
// Copies and fills: what both sides of a copy are, whether it may be done, and how.
#include "tests/gpu_sim/runtime/runtime.h"

namespace gpu_sim {

// What a pointer points at.
struct Place {
    enum class Side { Pageable, Pinned, Managed, Device } side;
    int device;                  // of Device: whose memory
    std::uint64_t begin, bytes;  // the allocation; 0 of Pageable
    bool on_device() const { return side == Side::Device || side == Side::Managed; }
    bool on_host() const { return side != Side::Device; }
};
// Throws Error if the pointer is that of memory that was freed.
Place place_of(Runtime&, const void*);

// height rows of width bytes; a plain copy is one row.
struct Copy {
    void* to;
    std::uint64_t to_pitch;
    const void* from;
    std::uint64_t from_pitch;
    std::uint64_t width, height;
    cudaMemcpyKind kind;
};
// Checks direction and bounds of both sides, enqueues, and waits as long as CUDA does: a copy between host and host, or
// to pageable memory, is done when the call returns; one from pageable memory has read its source; others have only
// been enqueued. `synchronous`: cudaMemcpy, which also waits for copies from and to pinned memory.
void copy(Runtime&, Stream&, const Copy&, bool synchronous);

void fill(Runtime&, Stream&, void* to, std::uint64_t pitch, int value, std::uint64_t width, std::uint64_t height);

}  // namespace gpu_sim
