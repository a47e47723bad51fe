#pragma once
// What device memory consists of: the allocations, the bytes, and shadows of them that record who wrote and who read.
#include "tests/gpu_sim/machine/machine.h"

#include <map>

namespace gpu_sim {

// Who touched a word of four bytes in the present launch. Blocks are numbered from 1 in the order they run.
struct GlobalCell {
    std::uint32_t launch = 0;
    std::uint32_t writer = 0, reader = 0;  // block; a reader of kManyBlocks: more than one
    std::uint8_t written = 0, read = 0;    // bytes of the word
    std::uint16_t pc = 0;                  // of the last access, cut to 16 bits
};
constexpr std::uint32_t kManyBlocks = ~0u;

// The last block, and the last launch, that read or wrote a sector of 32 bytes.
struct SectorCell {
    std::uint64_t read_block = 0, written_block = 0;
    std::uint32_t read_launch = 0, written_launch = 0;
};

struct Allocation {
    std::uint64_t begin = 0, bytes = 0;
    std::byte* alias = nullptr;
    bool adopted = false, managed = false;
    bool full = false;  // every byte has been written
};

struct DeviceMemory::State {
    std::byte* reserved = nullptr;     // the addresses handed out
    std::byte* alias = nullptr;        // the same, readable
    std::uint64_t* written = nullptr;  // one bit a byte
    GlobalCell* cells = nullptr;       // one a word
    SectorCell* sectors = nullptr;     // one a sector
    std::uint64_t capacity = 0, next = 0, used = 0;
    std::uint32_t launches = 0;
    std::uint64_t blocks = 0;  // that ran so far, over all launches
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
    // Bits of [offset, offset + bytes), bytes <= 16, in the low end.
    std::uint32_t written_bits(std::uint64_t offset, std::uint32_t bytes) const {
        const std::uint64_t word = offset / 64, shift = offset % 64;
        std::uint64_t bits = written[word] >> shift;
        if (shift + bytes > 64) bits |= written[word + 1] << (64 - shift);
        return std::uint32_t(bits & ((1ull << bytes) - 1));
    }
    void set_written(std::uint64_t offset, std::uint32_t bytes) {
        const std::uint64_t word = offset / 64, shift = offset % 64, ones = (1ull << bytes) - 1;
        written[word] |= ones << shift;
        if (shift + bytes > 64) written[word + 1] |= ones >> (64 - shift);
    }
};

}  // namespace gpu_sim
