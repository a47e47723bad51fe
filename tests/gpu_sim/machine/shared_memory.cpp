#include "tests/gpu_sim/machine/shared_memory.h"

#include "tests/gpu_sim/machine/machine.h"
#include "tests/gpu_sim/machine/warp.h"

#include <cstring>

namespace gpu_sim {

SharedMemory::SharedMemory(const Program& program, std::uint32_t dynamic_bytes, const Options& options)
    : options_(options), segments_(program.shared) {
    std::uint32_t end = program.shared_end;
    if (dynamic_bytes > 0) {
        segments_.push_back({kDynamicShared, dynamic_bytes, "dynamic shared memory"});
        end = kDynamicShared + dynamic_bytes;
    }
    bytes_.resize(end + 16);
    cells_.resize(end / 4 + 4);
}

void SharedMemory::begin_block() {
    ++block_;
    ++epoch_;
    for (const SharedSegment& segment : segments_) std::memset(bytes_.data() + segment.begin, 0xff, segment.bytes);
}

const SharedSegment* SharedMemory::segment_of(std::uint32_t address, std::uint32_t bytes) const {
    for (const SharedSegment& segment : segments_) {
        const std::uint32_t offset = address - segment.begin;
        if (offset < segment.bytes && bytes <= segment.bytes - offset) return &segment;
    }
    return nullptr;
}

std::string SharedMemory::place(std::uint32_t address) const {
    const SharedSegment* nearest = nullptr;
    for (const SharedSegment& segment : segments_) {
        if (segment.begin <= address + kSharedGap && (!nearest || segment.begin > nearest->begin)) nearest = &segment;
    }
    if (!nearest) return "shared address " + std::to_string(address);
    const std::int64_t offset = std::int64_t(address) - nearest->begin;
    return "byte " + std::to_string(offset) + " of " + demangled(nearest->name) + " (" +
           std::to_string(nearest->bytes) + " bytes)";
}

std::byte* SharedMemory::access(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t address,
                                std::uint32_t bytes, Access kind, const std::byte* value) {
    if (!segment_of(address, bytes)) {
        warp.fault(in, lane, "shared memory out of bounds: " + std::to_string(bytes) + " bytes at " + place(address));
    }
    if (options_.races || options_.uninitialised) {
        std::uint32_t at = address;
        for (std::uint32_t left = bytes; left > 0;) {
            const std::uint32_t in_word = std::min(4 - at % 4, left);
            const auto mask = std::uint8_t(((1u << in_word) - 1) << at % 4);
            check_word(warp, in, lane, at / 4, mask, kind, value ? value + (at - address) : nullptr);
            at += in_word;
            left -= in_word;
        }
    }
    return bytes_.data() + address;
}

void SharedMemory::check_word(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t word,
                              std::uint8_t bytes, Access kind, const std::byte* value) {
    Cell& cell = cells_[word];
    if (cell.block != block_) {
        cell = Cell{};
        cell.block = block_;
    }
    if (kind != Access::kWrite && options_.uninitialised && (cell.written & bytes) != bytes) {
        warp.fault(in, lane, "read of shared memory that nobody wrote: " + place(word * 4));
    }
    if (options_.races) {
        if (cell.copying & bytes) {
            warp.fault(in, lane,
                       std::string(kind == Access::kRead ? "read" : "write") +
                           " of shared memory that a cp.async may still be writing (no wait for it before): " +
                           place(word * 4) + ", copied by " +
                           warp.describe(cell.write_pc, cell.writer, cell.write_lane));
        }
        check_race(warp, in, lane, cell, word, bytes, kind, value);
    }
    const std::uint32_t pc = warp.pc_of(in), sync = warp.sync_count(), self = warp.index();
    if (kind == Access::kRead) {
        const bool same = cell.read_epoch == epoch_;
        const bool same_warp = same && cell.reader == self && cell.read_sync == sync;
        cell.read_lane = same_warp && cell.read_lane != lane ? kMany : std::uint8_t(lane);
        cell.readers = (same ? cell.readers : 0) | 1u << self;
        cell.read_bytes = std::uint8_t((same ? cell.read_bytes : 0) | bytes);
        cell.read_epoch = epoch_;
        cell.read_sync = sync;
        cell.reader = std::uint8_t(self);
        cell.read_pc = pc;
        return;
    }
    cell.written |= bytes;
    if (kind == Access::kAtomic) return;
    const bool same = cell.write_epoch == epoch_ && cell.writer == self && cell.write_lane == lane;
    cell.write_bytes = std::uint8_t((same ? cell.write_bytes : 0) | bytes);
    cell.write_epoch = epoch_;
    cell.write_sync = sync;
    cell.writer = std::uint8_t(self);
    cell.write_lane = std::uint8_t(lane);
    cell.write_pc = pc;
}

void SharedMemory::check_race(Warp& warp, const Instruction& in, std::uint32_t lane, const Cell& cell,
                              std::uint32_t word, std::uint8_t bytes, Access kind, const std::byte* value) const {
    const std::uint32_t self = warp.index();
    const bool writes = kind != Access::kRead;
    if (cell.write_epoch == epoch_ && (cell.write_bytes & bytes)) {
        const bool apart = cell.writer != self || (cell.write_lane != lane && cell.write_sync == warp.sync_count());
        // Writing what is there already is harmless.
        const std::uint32_t first = std::uint32_t(__builtin_ctz(bytes));
        const bool same_value =
            writes && value &&
            std::memcmp(bytes_.data() + word * 4 + first, value, std::size_t(__builtin_popcount(bytes))) == 0;
        if (apart && !same_value) race(warp, in, lane, word, true, writes, cell.write_pc, cell.writer, cell.write_lane);
    }
    if (writes && cell.read_epoch == epoch_ && (cell.read_bytes & bytes)) {
        const bool other_warp = (cell.readers & ~(1u << self)) != 0;
        const bool other_lane = cell.reader == self && cell.read_lane != lane && cell.read_sync == warp.sync_count();
        if (other_warp || other_lane) {
            race(warp, in, lane, word, false, true, cell.read_pc, cell.reader, cell.read_lane);
        }
    }
}

void SharedMemory::race(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t word, bool wrote,
                        bool writes, std::uint32_t other_pc, std::uint32_t other_warp, std::uint32_t other_lane) const {
    const std::string missing = other_warp == warp.index() ? "__syncwarp or barrier" : "barrier";
    warp.fault(in, lane,
               std::string("race on shared memory: ") + (writes ? "write" : "read") + " after a " +
                   (wrote ? "write" : "read") + " with no " + missing + " between, " + place(word * 4) + ", " +
                   (wrote ? "written by " : "read by ") + warp.describe(other_pc, other_warp, other_lane));
}

std::byte* SharedMemory::begin_copy(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint32_t address,
                                    std::uint32_t bytes) {
    std::byte* at = access(warp, in, lane, address, bytes, Access::kWrite);
    if (options_.races) {
        for (std::uint32_t word = address / 4; word < (address + bytes) / 4; ++word) cells_[word].copying = 0xf;
    }
    return at;
}

void SharedMemory::end_copy(Warp& warp, std::uint32_t lane, std::uint32_t address, std::uint32_t bytes) {
    for (std::uint32_t word = address / 4; word < (address + bytes) / 4; ++word) {
        Cell& cell = cells_[word];
        cell.copying = 0;
        cell.writer = std::uint8_t(warp.index());
        cell.write_lane = std::uint8_t(lane);
        cell.write_epoch = epoch_;
        cell.write_sync = warp.sync_count();
        cell.write_bytes = 0xf;
    }
}

}  // namespace gpu_sim
