#pragma once
// Shared memory of the block that runs, with a shadow of every word: what was written, by whom, and what is still being
// copied. Two accesses of different warps race if no barrier of the block lies between them and one of them writes; two
// lanes of a warp race if no barrier and no __syncwarp does. A barrier counts as ordering everything, also for threads
// that take no part in it, so that a report is never false, though races around partial barriers can go unseen.
//
// A phase is what a warp does between two of its barriers or __syncwarps. Phases are numbered in the order they begin,
// so that one comparison tells whether an access is from before the last barrier of the block.
#include "tests/gpu_sim/machine/access.h"

namespace gpu_sim {

struct Options;
class Warp;

class SharedMemory {
public:
    SharedMemory(const Program& program, std::uint32_t dynamic_bytes, const Options& options);

    void begin_block();
    // All accesses so far are ordered before those that follow; every warp then begins a phase.
    void barrier() { since_barrier_ = last_phase_ + 1; }
    std::uint32_t new_phase() { return ++last_phase_; }

    // use(run, bytes) for each run, after all checks of it; throws Fault. Addresses are below 2^32.
    template <class F>
    void access(Warp& warp, const Access& a, F&& use) {
        each_run(a, [&](const Run& run) {
            check(warp, a, run);
            use(run, bytes_.data() + run.address);
        });
    }
    // A copy from global memory to [address, address + bytes), which was accessed as a write, is under way; or has
    // landed. A whole number of words.
    void begin_copy(std::uint32_t address, std::uint32_t bytes);
    void end_copy(Warp& warp, std::uint32_t lane, std::uint32_t address, std::uint32_t bytes);
    std::byte* bytes(std::uint32_t address) { return bytes_.data() + address; }

private:
    // Who touched a word last, and when. Ordered by phase; 0: nobody.
    struct Stamp {
        std::uint64_t bits;
        static Stamp of(std::uint32_t phase, std::uint32_t pc, std::uint32_t warp, std::uint32_t lane,
                        std::uint32_t mask) {
            return {std::uint64_t{phase} << 32 | std::uint64_t{pc & 0x1ffff} << 15 | warp << 10 | lane << 4 | mask};
        }
        std::uint32_t phase() const { return std::uint32_t(bits >> 32); }
        std::uint32_t pc() const { return bits >> 15 & 0x1ffff; }
        std::uint32_t warp() const { return bits >> 10 & 31; }
        std::uint32_t lane() const { return bits >> 4 & 63; }  // kWarp: several
        std::uint32_t mask() const { return bits & 15; }       // bytes of the word
    };
    static constexpr std::uint8_t kWritten = 0x0f, kCopying = 0xf0;

    bool inside(std::uint64_t address, std::uint32_t bytes) const;
    void check(Warp& warp, const Access& a, const Run& run);
    void check_words(Warp& warp, const Access& a, const Run& run);
    void read_words(Warp& warp, const Access& a, const Run& run);
    void write_words(Warp& warp, const Access& a, const Run& run);
    void check_word(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, std::uint32_t mask,
                    const std::byte* value);
    void check_race(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, std::uint32_t mask,
                    const std::byte* value) const;
    void record(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, std::uint32_t mask);
    [[noreturn]] void race(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, bool wrote,
                           Stamp other) const;
    bool now(Stamp stamp) const { return stamp.phase() >= since_barrier_; }
    std::string place(std::uint64_t address) const;

    const Options& options_;
    std::vector<SharedSegment> segments_;
    std::vector<std::byte> bytes_;
    // Of each word: the last write, the last read, the warps that read since the last barrier, and which of its bytes
    // were ever written (low half) or are being copied (high half).
    std::vector<Stamp> writes_, reads_;
    std::vector<std::uint32_t> readers_;
    std::vector<std::uint8_t> state_;
    std::uint32_t last_phase_ = 0, since_barrier_ = 1;
};

}  // namespace gpu_sim
