#include "tests/gpu_sim/machine/global_access.h"

#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/warp.h"

#include <algorithm>
#include <cstring>

namespace gpu_sim {

GlobalAccess::GlobalAccess(Grid& grid) : grid_(grid), memory_(grid.memory.state()) {}

void GlobalAccess::find(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t address,
                        std::uint32_t bytes, Kind kind) {
    Allocation* found = memory_.find(address);
    if (!found || bytes > found->bytes - (address - found->begin)) {
        const char* what = kind == Kind::kRead ? "read" : kind == Kind::kWrite ? "write" : "atomic";
        warp.fault(in, lane, std::string(what) + " of global memory, " + memory_.explain(address, bytes));
    }
    // One look at the whole of it saves looking at each read.
    if (!found->full && grid_.memory.all_written(found->begin, found->bytes)) found->full = true;
    begin_ = found->begin;
    size_ = found->bytes;
    alias_ = found->alias;
    full_ = found->full;
    shadowed_ = !found->adopted && (grid_.options.races || !full_ || grid_.counters);
}

void GlobalAccess::shadow(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t address,
                          std::uint32_t bytes, Kind kind, const std::byte* alias, const std::byte* value) {
    const std::uint64_t offset = address - memory_.base();
    if (!full_) {
        if (kind != Kind::kWrite && grid_.options.uninitialised &&
            memory_.written_bits(offset, bytes) != (1u << bytes) - 1) {
            warp.fault(in, lane,
                       "read of global memory that nobody wrote: byte " + std::to_string(address - begin_) +
                           " of an allocation of " + std::to_string(size_) + " bytes");
        }
        if (kind != Kind::kRead) memory_.set_written(offset, bytes);
    }
    if (grid_.options.races && kind != Kind::kAtomic) {
        check_race(warp, in, lane, offset, bytes, kind, alias, value);
    }
    if (grid_.counters) count_sectors(offset, bytes, kind != Kind::kWrite, kind != Kind::kRead);
}

void GlobalAccess::check_race(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t offset,
                              std::uint32_t bytes, Kind kind, const std::byte* alias, const std::byte* value) {
    const std::uint32_t self = warp.block().number();
    const auto pc = std::uint16_t(warp.pc_of(in));
    for (std::uint32_t done = 0; done < bytes;) {
        const auto first = std::uint32_t((offset + done) % 4);
        const std::uint32_t count = std::min(4 - first, bytes - done);
        const auto mask = std::uint8_t(((1u << count) - 1) << first);
        GlobalCell& cell = memory_.cells[(offset + done) / 4];
        if (cell.launch != memory_.launches) {
            cell = GlobalCell{};
            cell.launch = memory_.launches;
        }
        // Writing what is there already is harmless.
        const bool changes = kind == Kind::kWrite && !(value && std::memcmp(alias + done, value + done, count) == 0);
        const bool after_write = cell.writer != 0 && cell.writer != self && (cell.written & mask);
        const bool after_read = cell.reader != 0 && cell.reader != self && (cell.read & mask);
        if ((after_write && (kind == Kind::kRead || changes) && !warp.block().ordered_after(cell.writer)) ||
            (after_read && changes && !warp.block().ordered_after(cell.reader))) {
            warp.fault(in, lane,
                       std::string("race between blocks on global memory: ") +
                           (kind == Kind::kRead ? "read" : "write") + " of byte " +
                           std::to_string(offset + done + memory_.base() - begin_) + " of an allocation of " +
                           std::to_string(size_) + " bytes, which another block " + (after_write ? "wrote" : "read") +
                           " in this launch, at " + source_of(grid_.program, cell.pc));
        }
        if (kind == Kind::kRead) {
            cell.reader = cell.reader == 0 || cell.reader == self ? self : kManyBlocks;
            cell.read |= mask;
        } else if (changes || cell.writer == 0) {
            cell.written = std::uint8_t((cell.writer == self ? cell.written : 0) | mask);
            cell.writer = self;
            cell.pc = pc;
        }
        if (kind == Kind::kRead && cell.writer == 0) cell.pc = pc;
        done += count;
    }
}

void GlobalAccess::count_sectors(std::uint64_t offset, std::uint32_t bytes, bool read, bool write) {
    KernelCounters& counters = *grid_.counters;
    for (std::uint64_t sector = offset / 32; sector <= (offset + bytes - 1) / 32; ++sector) {
        SectorCell& cell = memory_.sectors[sector];
        if (read) {
            counters.sectors_read += cell.read_block != memory_.blocks;
            counters.launch_sectors_read += cell.read_launch != memory_.launches;
            cell.read_block = memory_.blocks;
            cell.read_launch = memory_.launches;
        }
        if (write) {
            counters.sectors_written += cell.written_block != memory_.blocks;
            counters.launch_sectors_written += cell.written_launch != memory_.launches;
            cell.written_block = memory_.blocks;
            cell.written_launch = memory_.launches;
        }
    }
}

}  // namespace gpu_sim
