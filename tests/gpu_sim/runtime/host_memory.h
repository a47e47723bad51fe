#pragma once
// Host memory that CUDA knows: pinned, registered, managed. Everything else that is not device memory is pageable.
#include "tests/gpu_sim/machine/machine.h"

#include <map>

namespace gpu_sim {

class HostMemory {
public:
    enum class Kind { Pinned, Registered, Managed };
    struct Block {
        std::uint64_t begin, bytes;
        Kind kind;
        unsigned flags;
        int device;
    };

    // Pinned: page aligned and filled with 0xFF; nullptr if there is no memory left. Kernels may use it.
    void* allocate(std::uint64_t bytes, unsigned flags, int device);
    // Memory that the caller has: registered, or managed and owned by the device.
    void add(void* memory, std::uint64_t bytes, Kind, unsigned flags, int device);
    // False if `memory` is not the start of a block of this kind.
    bool remove(void* memory, Kind);
    // The block that `address` lies in, or nullptr.
    const Block* find(const void* address) const;
    // A new device: it may use all blocks, those to come too.
    void share_with(DeviceMemory&);

private:
    void insert(const Block&);

    std::map<std::uint64_t, Block> blocks_;
    std::vector<DeviceMemory*> devices_;
};

}  // namespace gpu_sim
