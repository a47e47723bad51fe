#pragma once
// A block: its warps, its barriers and the order in which the warps run. One object serves all blocks of a launch in
// turn.
#include "tests/gpu_sim/machine/warp.h"

#include <unordered_map>
#include <unordered_set>

namespace gpu_sim {

class Block {
public:
    explicit Block(Grid& grid);

    // `number`: from 1, in the order in which a launch's blocks run.
    void run(Dim3 id, std::uint32_t number);
    Dim3 id() const { return id_; }
    std::uint32_t number() const { return number_; }
    // The block made its writes visible, and then took part in an atomic: it is ordered after the blocks that did so on
    // this address before it.
    void fence() { fenced_ = true; }
    void atomic(std::uint64_t address);
    bool ordered_after(std::uint32_t block) const { return acquired_.contains(block); }

    // Threads of a warp arrive; `expected` threads complete the barrier (0: all of the block).
    struct Arrival {
        std::uint32_t barrier = 0, expected = 0;
        bool waits = true;    // bar.arrive only counts
        bool aligned = true;  // a warp's threads must execute one instruction together
        // bar.red: votes, and where their result goes.
        std::uint32_t votes = 0;
    };
    void arrive(Warp& warp, const Instruction& in, std::uint32_t lanes, const Arrival& arrival);
    void exited(Warp& warp, std::uint32_t threads);

private:
    struct Waiting {
        Warp* warp;
        const Instruction* in;
        std::uint32_t lanes;
    };
    struct Barrier {
        std::uint32_t arrived = 0, expected = 0, votes = 0;
        std::vector<Waiting> waiting;
    };
    void complete(Barrier& barrier, std::uint32_t index);
    void check_complete(std::uint32_t index);
    [[noreturn]] void deadlock();

    Grid& grid_;
    SharedMemory shared_;
    std::vector<std::unique_ptr<Warp>> warps_;
    std::vector<std::uint64_t> priorities_;
    std::array<Barrier, 16> barriers_;
    std::uint32_t threads_ = 0, live_ = 0;
    Dim3 id_;
    std::uint32_t number_ = 0;
    bool fenced_ = false;
    // Blocks that released an address, and those this block is ordered after.
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> released_;
    std::unordered_set<std::uint32_t> acquired_;
};

// Gives a lane's result of a barrier with a vote to its register or predicate.
void store_vote(Warp& warp, const Instruction& in, std::uint32_t lanes, std::uint32_t votes, std::uint32_t threads);

}  // namespace gpu_sim
