#include "tests/gpu_sim/machine/global_access.h"

#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/warp.h"

#include <algorithm>
#include <cstring>

namespace gpu_sim {

// A block alone cannot race.
GlobalAccess::GlobalAccess(Grid& grid)
    : grid_(grid),
      memory_(grid.memory.state()),
      shadowed_(grid.options.races || grid.options.uninitialised || grid.counters),
      races_(grid.options.races && grid.launch.grid.count() > 1) {}

const Allocation* GlobalAccess::locate(Warp& warp, const Access& a, const Run& run) {
    // An instruction touches the allocation that it touched the last time, mostly.
    const Allocation*& last = grid_.touched[warp.pc_of(a.in)];
    if (last && last->holds(run.address, run.bytes)) return last;
    last = memory_.find(run.address);
    if (last && last->holds(run.address, run.bytes)) return last;
    for (std::uint32_t i = 0; i < run.lanes; ++i) {
        const Run one = of_lane(a, run, run.first + i);
        const Allocation* found = memory_.find(one.address);
        if (found && found->holds(one.address, one.bytes)) continue;
        const char* what = a.kind == MemoryAccess::kRead ? "read" : a.kind == MemoryAccess::kWrite ? "write" : "atomic";
        warp.fault(a.in, one.first,
                   std::string(what) + " of global memory, " + memory_.explain(one.address, one.bytes));
    }
    return nullptr;
}

void GlobalAccess::shadow(Warp& warp, const Access& a, const Run& run, const Allocation& in, const std::byte* alias) {
    if (!in.full) {
        const std::uint64_t offset = run.address - memory_.base();
        if (a.kind != MemoryAccess::kWrite && grid_.options.uninitialised && !memory_.all_written(offset, run.bytes)) {
            check_written(warp, a, run, in);
        }
        if (a.kind != MemoryAccess::kRead) memory_.set_written(offset, run.bytes);
    }
    if (races_ && a.kind != MemoryAccess::kAtomic && a.bytes > 1) check_race(warp, a, run, in, alias);
    count_sectors(warp, a, run);
}

void GlobalAccess::check_written(Warp& warp, const Access& a, const Run& run, const Allocation& in) {
    for (std::uint32_t i = 0; i < run.lanes; ++i) {
        const Run one = of_lane(a, run, run.first + i);
        if (memory_.all_written(one.address - memory_.base(), one.bytes)) continue;
        warp.fault(a.in, one.first,
                   "read of global memory that nobody wrote: byte " + std::to_string(one.address - in.begin) +
                       " of an allocation of " + std::to_string(in.bytes) + " bytes");
    }
}

void GlobalAccess::check_race(Warp& warp, const Access& a, const Run& run, const Allocation& in,
                              const std::byte* alias) {
    const std::uint32_t self = warp.block().number(), launch = memory_.first_block;
    const std::uint64_t begin = (run.address - memory_.base()) / 2;
    const std::uint32_t halves = run.bytes / 2;
    std::uint32_t *writers = memory_.writers + begin, *readers = memory_.readers + begin;
    std::uint32_t others = 0;
    if (a.kind == MemoryAccess::kRead) {
        for (std::uint32_t i = 0; i < halves; ++i) others |= writers[i] >= launch && writers[i] != self;
    } else {
        for (std::uint32_t i = 0; i < halves; ++i) {
            others |= (writers[i] >= launch && writers[i] != self) || (readers[i] >= launch && readers[i] != self);
        }
    }
    if (others) {
        for (std::uint32_t i = 0; i < halves; ++i) {
            const std::uint32_t lane = run.first + (run.same ? 0 : 2 * i / a.bytes);
            // Writing what is there already is harmless.
            const bool changes =
                a.kind == MemoryAccess::kWrite &&
                !(a.values && std::memcmp(alias + 2 * i, a.values + run.first * a.bytes + 2 * i, 2) == 0);
            check_half(warp, a, lane, begin + i, changes, in);
        }
        return;
    }
    if (a.kind == MemoryAccess::kRead) {
        for (std::uint32_t i = 0; i < halves; ++i) {
            readers[i] = readers[i] < launch || readers[i] == self ? self : memory_.many_blocks;
        }
    } else {
        for (std::uint32_t i = 0; i < halves; ++i) writers[i] = self;
    }
}

// Two bytes that another block has touched.
void GlobalAccess::check_half(Warp& warp, const Access& a, std::uint32_t lane, std::uint64_t half, bool changes,
                              const Allocation& in) {
    const std::uint32_t self = warp.block().number(), launch = memory_.first_block;
    std::uint32_t &writer = memory_.writers[half], &reader = memory_.readers[half];
    const auto unordered = [&](std::uint32_t block) {
        return block >= launch && block != self && !warp.block().ordered_after(block);
    };
    const bool reads = a.kind == MemoryAccess::kRead;
    const bool after_write = (reads || changes) && unordered(writer), after_read = changes && unordered(reader);
    if (after_write || after_read) {
        const SectorCell& sector = memory_.sectors[half / 16];
        warp.fault(a.in, lane,
                   std::string("race between blocks on global memory: ") + (reads ? "read" : "write") + " of byte " +
                       std::to_string(half * 2 + memory_.base() - in.begin) + " of an allocation of " +
                       std::to_string(in.bytes) + " bytes, which another block " + (after_write ? "wrote" : "read") +
                       " in this launch, at " +
                       source_of(grid_.program, after_write ? sector.written_pc : sector.read_pc));
    }
    if (reads) {
        reader = reader < launch || reader == self ? self : memory_.many_blocks;
    } else if (changes || writer < launch) {
        writer = self;
    }
}

void GlobalAccess::count_sectors(Warp& warp, const Access& a, const Run& run) {
    const std::uint32_t self = warp.block().number(), launch = memory_.first_block, pc = warp.pc_of(a.in);
    const std::uint64_t offset = run.address - memory_.base();
    const bool read = a.kind != MemoryAccess::kWrite, write = a.kind != MemoryAccess::kRead;
    std::uint32_t block_read = 0, block_written = 0, launch_read = 0, launch_written = 0;
    for (std::uint64_t sector = offset / 32; sector <= (offset + run.bytes - 1) / 32; ++sector) {
        SectorCell& cell = memory_.sectors[sector];
        if (read) {
            block_read += cell.read_block != self;
            launch_read += cell.read_block < launch;
            cell.read_block = self, cell.read_pc = pc;
        }
        if (write) {
            block_written += cell.written_block != self;
            launch_written += cell.written_block < launch;
            cell.written_block = self, cell.written_pc = pc;
        }
    }
    if (KernelCounters* counters = grid_.counters) {
        counters->sectors_read += block_read, counters->sectors_written += block_written;
        counters->launch_sectors_read += launch_read, counters->launch_sectors_written += launch_written;
        const std::uint64_t requested = std::uint64_t{run.lanes} * a.bytes;
        if (read) counters->requested_global_read += requested;
        if (write) counters->requested_global_written += requested;
    }
}

}  // namespace gpu_sim
