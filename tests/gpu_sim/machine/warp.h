#pragma once
// 32 lanes in lockstep. Lanes that diverged are groups with their own program counter; the one that is deepest in
// calls, then lowest in the code, runs; groups that meet merge.
#include "tests/gpu_sim/machine/global_access.h"
#include "tests/gpu_sim/machine/instruction.h"
#include "tests/gpu_sim/machine/machine.h"
#include "tests/gpu_sim/machine/random.h"
#include "tests/gpu_sim/machine/shared_memory.h"

namespace gpu_sim {

class Block;

// What all warps of a launch share.
struct Grid {
    const Launch& launch;
    const Program& program;
    DeviceMemory& memory;
    const Options& options;
    KernelCounters* counters;
    Random random;
    struct Executions {
        std::uint64_t warps = 0, threads = 0;
    };
    std::vector<Executions> executions;  // of each instruction; empty: nobody counts
    std::uint64_t thread_instructions = 0;
    std::vector<const Allocation*> touched = {};  // by each instruction, the last time
};

struct Group {
    enum class Wait : std::uint8_t { kNone, kLanes, kBarrier };
    std::uint32_t pc = 0, lanes = 0, depth = 0;
    Wait wait = Wait::kNone;
    std::uint32_t members = 0;  // kLanes: whom it waits for
    std::uint32_t barrier = 0;  // kBarrier: which
};

// A cp.async that has been issued and not waited for.
struct PendingCopy {
    std::uint32_t lane, group, address, bytes;
    bool landed;  // the bytes are there, though nobody may count on it
    std::array<std::byte, 16> value;
};

class Warp {
public:
    Warp(Grid& grid, Block& block, SharedMemory& shared, std::uint32_t index);

    // Starts the block's threads [first, first + count).
    void begin(std::uint32_t first_thread, std::uint32_t count);
    // Runs up to `budget` instructions, or until no group can go on.
    void run(std::uint64_t budget);
    bool finished() const { return live_ == 0; }
    bool runnable() const;

    // For handlers.
    template <class T>
    T* at(Operand operand) {
        return reinterpret_cast<T*>(banks_[operand.bank()] + operand.offset());
    }
    std::uint32_t& predicate(Operand operand) { return *at<std::uint32_t>(operand); }
    std::uint32_t truth(Operand operand) { return predicate(operand) ^ (operand.negated() ? kAllLanes : 0u); }
    void set_predicate(Operand operand, std::uint32_t lanes, std::uint32_t value) {
        predicate(operand) = (predicate(operand) & ~lanes) | (value & lanes);
    }
    std::byte* local(std::uint32_t lane) { return local_.data() + std::size_t{lane} * grid_.program.local_bytes; }
    Grid& grid() { return grid_; }
    Block& block() { return block_; }
    SharedMemory& shared() { return shared_; }
    GlobalAccess& global() { return global_; }
    std::uint32_t index() const { return index_; }
    std::uint32_t live() const { return live_; }
    std::uint64_t executed() const { return executed_; }
    Dim3 thread_of(std::uint32_t lane) const;
    std::uint32_t pc_of(const Instruction& in) const { return std::uint32_t(&in - grid_.program.code.data()); }

    // Control flow.
    void branch(std::uint32_t lanes, std::uint32_t target);
    void exit(const Instruction& in, std::uint32_t lanes);
    void call(const Instruction& in, std::uint32_t lanes);
    void leave(const Instruction& in, std::uint32_t lanes);
    // True if all live lanes of `members` are here; otherwise the lanes wait and will run the instruction again.
    bool gather(const Instruction& in, std::uint32_t lanes, std::uint32_t members);
    // A __syncwarp: accesses before and after it are ordered. A phase is what lies between two of them, or barriers.
    void synchronised() { phase_ = shared_.new_phase(); }
    std::uint32_t phase() const { return phase_; }
    void wait_at_barrier(const Instruction& in, std::uint32_t lanes, std::uint32_t barrier);
    void release(std::uint32_t barrier);
    // Lanes of this warp that wait at the barrier, by the instruction they wait at.
    const std::vector<Group>& waiting() const { return others_; }

    // cp.async: groups are counted a lane.
    std::vector<PendingCopy>& copies() { return copies_; }
    std::array<std::uint32_t, kWarp>& copy_groups() { return copy_groups_; }
    void land(std::uint32_t lanes, std::uint32_t groups_left, bool all);

    // "thread (1, 2, 3) at file.cu:12"
    std::string describe(std::uint32_t pc, std::uint32_t warp, std::uint32_t lane) const;
    [[noreturn]] void fault(const Instruction& in, std::uint32_t lane, const std::string& what) const;
    [[noreturn]] void fault_at(std::uint32_t pc, std::uint32_t lane, const std::string& what) const;

private:
    bool settle();
    void set_aside(Group group);

    Grid& grid_;
    Block& block_;
    SharedMemory& shared_;
    GlobalAccess global_;
    std::uint32_t index_;
    std::uint32_t first_thread_ = 0;
    std::vector<std::byte> registers_, local_;
    std::array<std::byte*, 2> banks_{};
    // The group that runs, and the program counter at which another one must be looked at (0: now).
    std::uint32_t pc_ = 0, lanes_ = 0, depth_ = 0, attention_ = 0;
    std::uint32_t live_ = 0, phase_ = 0;
    std::uint64_t executed_ = 0;
    std::vector<Group> others_;
    struct Return {
        std::uint32_t pc, call;
    };
    std::array<std::vector<Return>, kWarp> returns_;
    std::vector<PendingCopy> copies_;
    std::array<std::uint32_t, kWarp> copy_groups_{};
};

std::string demangled(const std::string& name);
// "file.cu:12", of the innermost place that is not the compiler's own header.
std::string source_of(const Program& program, std::uint32_t pc);

}  // namespace gpu_sim
