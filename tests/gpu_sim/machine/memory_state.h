#pragma once
// What device memory consists of: the allocations, the bytes, and shadows of them that record who wrote and who read.
#include "tests/gpu_sim/machine/machine.h"

#include <map>

namespace gpu_sim {

// Blocks are numbered from 1 in the order they run, over all launches.

// The last block that read or wrote a sector of 32 bytes, and with what instruction.
struct SectorCell {
    std::uint32_t read_block = 0, written_block = 0;
    std::uint32_t read_pc = 0, written_pc = 0;
};

struct Allocation {
    std::uint64_t begin = 0, bytes = 0;
    std::byte* alias = nullptr;
    bool adopted = false, managed = false;
    bool full = false;         // every byte has been written
    std::uint64_t prefix = 0;  // bytes known to be written, from the first on

    bool holds(std::uint64_t address, std::uint64_t size) const {
        return address - begin < bytes && size <= bytes - (address - begin);
    }
};

struct DeviceMemory::State {
    std::byte* reserved = nullptr;     // the addresses handed out
    std::byte* alias = nullptr;        // the same, readable
    std::uint64_t* written = nullptr;  // one bit a byte
    SectorCell* sectors = nullptr;     // one a sector
    // Who touched two bytes last: blocks, of the present launch if not below first_block. Readers may be many_blocks.
    std::uint32_t *writers = nullptr, *readers = nullptr;
    std::uint64_t capacity = 0, next = 0, used = 0;
    std::uint32_t blocks = 0, first_block = 0, many_blocks = 0;
    std::map<std::uint64_t, Allocation> allocations;
    std::map<std::uint64_t, Allocation> freed;  // for reports

    // Offset of the next free bytes, or kFull.
    static constexpr std::uint64_t kFull = ~std::uint64_t{0};
    std::uint64_t take(std::uint64_t bytes, std::uint64_t align);
    std::uint64_t base() const { return reinterpret_cast<std::uint64_t>(reserved); }
    // nullptr if `address` is in no live allocation.
    Allocation* find(std::uint64_t address);
    // What is wrong with an access of [address, address + bytes), in words.
    std::string explain(std::uint64_t address, std::uint64_t bytes);
    // Looks which allocations have been written in full, so that a launch need not look at each read.
    void find_full();
    // Of [offset, offset + bytes).
    bool all_written(std::uint64_t offset, std::uint64_t bytes) const {
        return each_mask(offset, bytes,
                         [&](std::uint64_t word, std::uint64_t mask) { return (written[word] & mask) == mask; });
    }
    void set_written(std::uint64_t offset, std::uint64_t bytes) {
        each_mask(offset, bytes, [&](std::uint64_t word, std::uint64_t mask) { return written[word] |= mask, true; });
    }
    // f(word of `written`, bits in it) until it says false.
    template <class F>
    static bool each_mask(std::uint64_t offset, std::uint64_t bytes, F f) {
        const std::uint64_t end = offset + bytes;
        for (std::uint64_t at = offset; at < end;) {
            const std::uint64_t shift = at % 64, count = end - at < 64 - shift ? end - at : 64 - shift;
            const std::uint64_t ones = count == 64 ? ~0ull : (1ull << count) - 1;
            if (!f(at / 64, ones << shift)) return false;
            at += count;
        }
        return true;
    }
};

}  // namespace gpu_sim
