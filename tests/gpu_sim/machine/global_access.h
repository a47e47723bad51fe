#pragma once
// Checked access of one warp to global memory: bounds, bytes nobody wrote, races between blocks, sectors for the
// counters.
//
// Blocks run one after another, so two blocks race if both touched a byte in one launch and one of them wrote another
// value than was there. Atomics are exempt, and a block that took part in an atomic on some address after a fence is
// ordered after those that did so before it (the pattern of a grid's last block).
#include "tests/gpu_sim/machine/memory_state.h"

namespace gpu_sim {

class Warp;
struct Grid;
struct Instruction;

class GlobalAccess {
public:
    explicit GlobalAccess(Grid& grid);

    enum class Kind : std::uint8_t { kRead, kWrite, kAtomic };
    // The bytes of [address, address + bytes), bytes <= 16, after all checks. `value`: what will be written.
    std::byte* access(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t address, std::uint32_t bytes,
                      Kind kind, const std::byte* value = nullptr) {
        if (address - begin_ >= size_ || bytes > size_ - (address - begin_)) {
            find(warp, in, lane, address, bytes, kind);
        }
        std::byte* alias = alias_ + (address - begin_);
        if (shadowed_) shadow(warp, in, lane, address, bytes, kind, alias, value);
        return alias;
    }

private:
    void find(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t address, std::uint32_t bytes,
              Kind kind);
    void shadow(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t address, std::uint32_t bytes,
                Kind kind, const std::byte* alias, const std::byte* value);
    void check_race(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t offset, std::uint32_t bytes,
                    Kind kind, const std::byte* alias, const std::byte* value);
    void count_sectors(std::uint64_t offset, std::uint32_t bytes, bool read, bool write);

    Grid& grid_;
    DeviceMemory::State& memory_;
    // The allocation touched last.
    std::uint64_t begin_ = 0, size_ = 0;
    std::byte* alias_ = nullptr;
    bool full_ = false, shadowed_ = false;
};

}  // namespace gpu_sim
