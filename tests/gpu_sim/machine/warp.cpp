#include "tests/gpu_sim/machine/warp.h"

#include "tests/gpu_sim/machine/block.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gpu_sim {

namespace {

constexpr std::uint32_t kNever = ~0u;

}  // namespace

Warp::Warp(Grid& grid, Block& block, SharedMemory& shared, std::uint32_t index)
    : grid_(grid), block_(block), shared_(shared), global_(grid), index_(index) {
    registers_.resize(grid.program.register_bytes + 64);
    local_.resize(std::size_t{grid.program.local_bytes} * kWarp);
    // Constants are only read.
    banks_ = {registers_.data(), const_cast<std::byte*>(grid.program.constants.data())};
}

void Warp::begin(std::uint32_t first_thread, std::uint32_t count) {
    first_thread_ = first_thread;
    live_ = count == kWarp ? kAllLanes : (1u << count) - 1;
    pc_ = depth_ = attention_ = 0;
    lanes_ = live_;
    executed_ = 0;
    synchronised();
    others_.clear();
    copies_.clear();
    copy_groups_.fill(0);
    for (auto& stack : returns_) stack.clear();
    std::memset(local_.data(), 0xff, local_.size());
}

bool Warp::runnable() const {
    return lanes_ != 0 ||
           std::any_of(others_.begin(), others_.end(), [](const Group& g) { return g.wait == Group::Wait::kNone; });
}

void Warp::run(std::uint64_t budget) {
    const Instruction* code = grid_.program.code.data();
    Grid::Executions* executions = grid_.executions.empty() ? nullptr : grid_.executions.data();
    const std::uint64_t end = std::min(executed_ + budget, grid_.options.instruction_limit);
    std::uint64_t thread_instructions = 0;
    attention_ = 0;
    if (!settle()) return;
    while (executed_ < end) {
        const Instruction& in = code[pc_];
        std::uint32_t lanes = lanes_;
        if (in.guard) lanes &= truth(in.guard);
        if (executions) {
            ++executions[pc_].warps;
            executions[pc_].threads += std::uint32_t(std::popcount(lanes));
        }
        ++pc_;
        ++executed_;
        if (lanes != 0) {
            thread_instructions += std::uint32_t(std::popcount(lanes));
            in.run(*this, in, lanes);
        }
        if (pc_ >= attention_ && !settle()) break;
    }
    grid_.thread_instructions += thread_instructions;
    if (executed_ >= grid_.options.instruction_limit) {
        fault_at(pc_, std::uint32_t(std::countr_zero(lanes_ ? lanes_ : live_)),
                 "endless loop: a warp has executed " + std::to_string(executed_) + " instructions");
    }
}

void Warp::set_aside(Group group) {
    if (group.lanes != 0) others_.push_back(group);
    attention_ = 0;
}

// Merges groups that met and picks the one that runs on. False if there is none.
bool Warp::settle() {
    if (lanes_ != 0 && others_.empty()) {
        attention_ = kNever;
        return true;
    }
    set_aside({.pc = pc_, .lanes = lanes_, .depth = depth_});
    lanes_ = 0;
    for (std::size_t i = 0; i < others_.size(); ++i) {
        for (std::size_t j = i + 1; j < others_.size();) {
            Group &a = others_[i], &b = others_[j];
            const bool barrier = a.wait == Group::Wait::kBarrier || b.wait == Group::Wait::kBarrier;
            if (a.pc != b.pc || a.depth != b.depth || barrier) {
                ++j;
                continue;
            }
            // Newcomers at a .sync instruction: those who wait there try again with them.
            a.wait = Group::Wait::kNone;
            a.lanes |= b.lanes;
            others_.erase(others_.begin() + std::ptrdiff_t(j));
        }
    }
    auto best = others_.end();
    for (auto it = others_.begin(); it != others_.end(); ++it) {
        if (it->wait != Group::Wait::kNone) continue;
        if (best == others_.end() || it->depth > best->depth || (it->depth == best->depth && it->pc < best->pc)) {
            best = it;
        }
    }
    if (best == others_.end()) return false;
    pc_ = best->pc;
    lanes_ = best->lanes;
    depth_ = best->depth;
    others_.erase(best);
    attention_ = kNever;
    for (const Group& other : others_) {
        if (other.wait != Group::Wait::kBarrier && other.pc > pc_) attention_ = std::min(attention_, other.pc);
    }
    return true;
}

void Warp::branch(std::uint32_t lanes, std::uint32_t target) {
    const std::uint32_t rest = lanes_ & ~lanes;
    if (rest != 0) {
        set_aside({.pc = pc_, .lanes = rest, .depth = depth_});
        lanes_ = lanes;
    }
    pc_ = target;
    if (!others_.empty()) attention_ = 0;
}

void Warp::exit(const Instruction& in, std::uint32_t lanes) {
    lanes_ &= ~lanes;
    live_ &= ~lanes;
    attention_ = 0;
    for (const Group& other : others_) {
        if (other.wait != Group::Wait::kLanes || !(other.members & lanes)) continue;
        fault_at(other.pc, std::uint32_t(std::countr_zero(other.lanes)),
                 "the member mask names lane " + std::to_string(std::countr_zero(other.members & lanes)) +
                     ", which exited at " + source_of(grid_.program, pc_of(in)) + " without getting here");
    }
    block_.exited(*this, std::uint32_t(std::popcount(lanes)));
}

void Warp::call(const Instruction& in, std::uint32_t lanes) {
    const Call& call = grid_.program.calls[in.target];
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        if (!(lanes >> lane & 1)) continue;
        for (const Call::Copy& copy : call.arguments)
            std::memcpy(local(lane) + copy.to, local(lane) + copy.from, copy.bytes);
        for (const Return& r : returns_[lane]) {
            if (r.call == in.target) fault(in, lane, "recursion, which this machine does not do");
        }
        returns_[lane].push_back({pc_, in.target});
    }
    if (lanes_ & ~lanes) set_aside({.pc = pc_, .lanes = lanes_ & ~lanes, .depth = depth_});
    lanes_ = lanes;
    pc_ = call.entry;
    ++depth_;
    attention_ = 0;
}

// ret: each lane goes back to where it was called from.
void Warp::leave(const Instruction& in, std::uint32_t lanes) {
    if (depth_ == 0) {
        exit(in, lanes);
        return;
    }
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        if (!(lanes >> lane & 1)) continue;
        const Return back = returns_[lane].back();
        returns_[lane].pop_back();
        for (const Call::Copy& copy : grid_.program.calls[back.call].results) {
            std::memcpy(local(lane) + copy.to, local(lane) + copy.from, copy.bytes);
        }
        set_aside({.pc = back.pc, .lanes = 1u << lane, .depth = depth_ - 1});
    }
    lanes_ &= ~lanes;
    attention_ = 0;
}

bool Warp::gather(const Instruction& in, std::uint32_t lanes, std::uint32_t members) {
    if (lanes & ~members) {
        const auto lane = std::uint32_t(std::countr_zero(lanes & ~members));
        fault(in, lane, "the member mask does not name the lane that executes it");
    }
    const std::uint32_t missing = members & live_ & ~lanes;
    if (missing == 0) return true;
    set_aside({.pc = pc_of(in),
               .lanes = lanes,
               .depth = depth_,
               .wait = Group::Wait::kLanes,
               .members = members,
               .barrier = 0});
    lanes_ &= ~lanes;
    return false;
}

void Warp::wait_at_barrier(const Instruction& in, std::uint32_t lanes, std::uint32_t barrier) {
    set_aside({.pc = pc_of(in) + 1,
               .lanes = lanes,
               .depth = depth_,
               .wait = Group::Wait::kBarrier,
               .members = 0,
               .barrier = barrier});
    lanes_ &= ~lanes;
}

void Warp::release(std::uint32_t barrier) {
    for (Group& group : others_) {
        if (group.wait == Group::Wait::kBarrier && group.barrier == barrier) group.wait = Group::Wait::kNone;
    }
    synchronised();
}

void Warp::land(std::uint32_t lanes, std::uint32_t groups_left, bool all) {
    std::erase_if(copies_, [&](const PendingCopy& copy) {
        if (!(lanes >> copy.lane & 1)) return false;
        // Groups are numbered from 0; copy_groups_ is the number of the one still open.
        if (!all && copy.group + groups_left >= copy_groups_[copy.lane]) return false;
        if (!copy.landed) {
            std::memcpy(shared_.bytes(copy.address), copy.value.data(), copy.bytes);
        }
        shared_.end_copy(*this, copy.lane, copy.address, copy.bytes);
        return true;
    });
}

}  // namespace gpu_sim
