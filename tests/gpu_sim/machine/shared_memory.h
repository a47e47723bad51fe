#pragma once
// Shared memory of the block that runs, with a shadow of every word: what was written, by whom, and what is still being
// copied. Two accesses of different warps race if no barrier of the block lies between them and one of them writes; two
// lanes of a warp race if no barrier and no __syncwarp does. A barrier counts as ordering everything, also for threads
// that take no part in it, so that a report is never false, though races around partial barriers can go unseen.
#include "tests/gpu_sim/machine/instruction.h"

namespace gpu_sim {

struct Options;
class Warp;

class SharedMemory {
public:
    SharedMemory(const Program& program, std::uint32_t dynamic_bytes, const Options& options);

    void begin_block();
    // All accesses so far are ordered before those that follow.
    void barrier() { ++epoch_; }

    enum class Access : std::uint8_t { kRead, kWrite, kAtomic };
    // The bytes after all checks but of values; throws Fault. `value`: what will be written.
    std::byte* access(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t address, std::uint32_t bytes,
                      Access kind, const std::byte* value = nullptr);
    // A copy from global memory was issued, or has landed.
    std::byte* begin_copy(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t address,
                          std::uint32_t bytes);
    std::byte* bytes(std::uint32_t address) { return bytes_.data() + address; }
    void end_copy(Warp& warp, std::uint32_t lane, std::uint32_t address, std::uint32_t bytes);

private:
    struct Cell {
        std::uint32_t block = 0;  // that the rest is about
        std::uint32_t write_epoch = 0, read_epoch = 0;
        std::uint32_t readers = 0;                     // warps, in read_epoch
        std::uint32_t write_sync = 0, read_sync = 0;   // of the warp below
        std::uint32_t write_pc = 0, read_pc = 0;       // instruction
        std::uint8_t writer = 0, write_lane = 0;       // warp and lane
        std::uint8_t reader = 0, read_lane = 0;        // the last; lane kMany: several of them
        std::uint8_t written = 0, copying = 0;         // bytes ever written; in flight
        std::uint8_t write_bytes = 0, read_bytes = 0;  // of the last write, and reads
    };
    static constexpr std::uint8_t kMany = 0xff;

    const SharedSegment* segment_of(std::uint32_t address, std::uint32_t bytes) const;
    void check_word(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t word, std::uint8_t bytes,
                    Access kind, const std::byte* value);
    void check_race(Warp& warp, const Instruction& in, std::uint32_t lane, const Cell& cell, std::uint32_t word,
                    std::uint8_t bytes, Access kind, const std::byte* value) const;
    [[noreturn]] void race(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t word, bool wrote,
                           bool writes, std::uint32_t other_pc, std::uint32_t other_warp,
                           std::uint32_t other_lane) const;
    std::string place(std::uint32_t address) const;

    const Options& options_;
    std::vector<SharedSegment> segments_;
    std::vector<std::byte> bytes_;
    std::vector<Cell> cells_;
    std::uint32_t block_ = 0, epoch_ = 0;
};

}  // namespace gpu_sim
