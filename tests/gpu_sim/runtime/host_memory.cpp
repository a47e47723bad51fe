#include "tests/gpu_sim/runtime/host_memory.h"

#include <cstring>
#include <sys/mman.h>

namespace gpu_sim {

void* HostMemory::allocate(std::uint64_t bytes, unsigned flags, int device) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    std::memset(memory, 0xff, bytes);
    add(memory, bytes, Kind::Pinned, flags, device);
    return memory;
}

void HostMemory::add(void* memory, std::uint64_t bytes, Kind kind, unsigned flags, int device) {
    const auto begin = reinterpret_cast<std::uint64_t>(memory);
    blocks_[begin] = {begin, bytes, kind, flags, device};
    for (DeviceMemory* other : devices_)
        if (!other->owns(memory)) other->adopt(memory, bytes);
}

bool HostMemory::remove(void* memory, Kind kind) {
    const auto found = blocks_.find(reinterpret_cast<std::uint64_t>(memory));
    if (found == blocks_.end() || found->second.kind != kind) return false;
    for (DeviceMemory* device : devices_)
        if (!device->owns(memory)) device->disown(memory);
    if (kind == Kind::Pinned) munmap(memory, found->second.bytes);
    blocks_.erase(found);
    return true;
}

const HostMemory::Block* HostMemory::find(const void* address) const {
    const auto at = reinterpret_cast<std::uint64_t>(address);
    auto next = blocks_.upper_bound(at);
    if (next == blocks_.begin()) return nullptr;
    const Block& block = (--next)->second;
    return at < block.begin + block.bytes ? &block : nullptr;
}

void HostMemory::share_with(DeviceMemory& memory) {
    devices_.push_back(&memory);
    for (const auto& [begin, block] : blocks_) memory.adopt(reinterpret_cast<void*>(begin), block.bytes);
}

}  // namespace gpu_sim
