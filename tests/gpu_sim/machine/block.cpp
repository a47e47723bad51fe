#include "tests/gpu_sim/machine/block.h"

#include <algorithm>
#include <bit>

namespace gpu_sim {

Block::Block(Grid& grid)
    : grid_(grid),
      shared_(grid.program, grid.launch.dynamic_shared, grid.options),
      threads_(std::uint32_t(grid.launch.block.count())) {
    const std::uint32_t warps = (threads_ + kWarp - 1) / kWarp;
    for (std::uint32_t i = 0; i < warps; ++i) warps_.push_back(std::make_unique<Warp>(grid, *this, shared_, i));
    priorities_.resize(warps);
}

void Block::run(Dim3 id, std::uint32_t number) {
    id_ = id;
    number_ = number;
    fenced_ = false;
    acquired_.clear();
    live_ = threads_;
    for (Barrier& barrier : barriers_) barrier = Barrier{};
    shared_.begin_block();
    for (std::uint32_t i = 0; i < warps_.size(); ++i) {
        warps_[i]->begin(i * kWarp, std::min(kWarp, threads_ - i * kWarp));
        priorities_[i] = grid_.random.next();
    }
    while (live_ > 0) {
        std::size_t best = warps_.size();
        for (std::size_t i = 0; i < warps_.size(); ++i) {
            if (!warps_[i]->runnable()) continue;
            if (best == warps_.size() || priorities_[i] > priorities_[best]) best = i;
        }
        if (best == warps_.size()) deadlock();
        // Now and then the one that runs falls behind all others.
        warps_[best]->run(16u << grid_.random.below(8));
        if (grid_.random.below(4) == 0) priorities_[best] = grid_.random.next();
    }
}

void Block::arrive(Warp& warp, const Instruction& in, std::uint32_t lanes, const Arrival& arrival) {
    Barrier& barrier = barriers_[arrival.barrier % barriers_.size()];
    const auto lane = std::uint32_t(std::countr_zero(lanes));
    if (arrival.barrier >= barriers_.size()) warp.fault(in, lane, "a block has 16 barriers");
    if (arrival.expected % kWarp != 0 || arrival.expected > threads_ + kWarp - 1) {
        warp.fault(
            in, lane,
            "barrier for " + std::to_string(arrival.expected) + " threads in a block of " + std::to_string(threads_));
    }
    if (barrier.arrived > 0 && barrier.expected != arrival.expected) {
        warp.fault(in, lane, "barrier with another number of threads than those wait for who arrived before");
    }
    if (grid_.options.strict_barriers && arrival.aligned) {
        for (const Group& other : warp.waiting()) {
            if (other.wait == Group::Wait::kBarrier && other.pc != warp.pc_of(in) + 1) {
                warp.fault(in, lane,
                           "barrier in divergent code: lanes of one warp wait at different barriers, the others at " +
                               source_of(grid_.program, other.pc - 1));
            }
        }
    }
    barrier.expected = arrival.expected;
    barrier.arrived += std::uint32_t(std::popcount(lanes));
    barrier.votes += std::uint32_t(std::popcount(arrival.votes & lanes));
    if (arrival.waits) {
        barrier.waiting.push_back({&warp, &in, lanes});
        warp.wait_at_barrier(in, lanes, arrival.barrier);
    }
    check_complete(arrival.barrier);
}

void Block::atomic(std::uint64_t address) {
    if (!fenced_) return;
    std::vector<std::uint32_t>& before = released_[address];
    acquired_.insert(before.begin(), before.end());
    // Each block once: those after it are ordered after all that it is ordered after.
    if (before.empty() || before.back() != number_) before.push_back(number_);
}

void Block::check_complete(std::uint32_t index) {
    Barrier& barrier = barriers_[index];
    const std::uint32_t all = grid_.options.strict_barriers ? threads_ : live_;
    // A count is in whole warps, and the last one may be short.
    const std::uint32_t expected = barrier.expected == 0 ? all : std::min(barrier.expected, threads_);
    if (barrier.arrived > 0 && barrier.arrived >= expected) complete(barrier, index);
}

void Block::complete(Barrier& barrier, std::uint32_t index) {
    for (const Waiting& waiting : barrier.waiting) {
        store_vote(*waiting.warp, *waiting.in, waiting.lanes, barrier.votes, barrier.arrived);
    }
    shared_.barrier();
    for (const auto& warp : warps_) warp->release(index);
    barrier = Barrier{};
}

void Block::exited(Warp&, std::uint32_t threads) {
    live_ -= threads;
    if (grid_.options.strict_barriers) return;
    for (std::uint32_t i = 0; i < barriers_.size(); ++i) {
        if (barriers_[i].arrived > 0) check_complete(i);
    }
}

// Nobody can go on: say who waits for what.
void Block::deadlock() {
    for (const auto& warp : warps_) {
        for (const Group& group : warp->waiting()) {
            if (group.wait != Group::Wait::kLanes) continue;
            const std::uint32_t missing = group.members & warp->live() & ~group.lanes;
            const auto lane = std::uint32_t(std::countr_zero(missing));
            std::string elsewhere;
            for (const Group& other : warp->waiting()) {
                if (other.lanes >> lane & 1) {
                    const std::uint32_t pc = other.wait == Group::Wait::kBarrier ? other.pc - 1 : other.pc;
                    elsewhere = ", but waits at " + source_of(grid_.program, pc);
                }
            }
            warp->fault_at(
                group.pc, std::uint32_t(std::countr_zero(group.lanes)),
                "the member mask names lane " + std::to_string(lane) + ", which never gets here" + elsewhere);
        }
    }
    for (const Barrier& barrier : barriers_) {
        if (barrier.waiting.empty()) continue;
        const Waiting& first = barrier.waiting.front();
        const std::uint32_t expected = barrier.expected == 0 ? threads_ : barrier.expected;
        std::string others;
        if (live_ < threads_) others = "; " + std::to_string(threads_ - live_) + " threads have exited";
        for (const Barrier& other : barriers_) {
            if (&other == &barrier || other.waiting.empty()) continue;
            others += "; others wait at " +
                      source_of(grid_.program, other.waiting.front().warp->pc_of(*other.waiting.front().in));
        }
        first.warp->fault(
            *first.in, std::uint32_t(std::countr_zero(first.lanes)),
            "barrier that not all threads reach (barrier in divergent code): " + std::to_string(barrier.arrived) +
                " of " + std::to_string(expected) + " arrived" + others);
    }
    throw Fault("a block of " + demangled(grid_.program.name) + " cannot go on");
}

}  // namespace gpu_sim
