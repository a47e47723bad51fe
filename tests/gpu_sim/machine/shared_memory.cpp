#include "tests/gpu_sim/machine/shared_memory.h"

#include "tests/gpu_sim/machine/machine.h"
#include "tests/gpu_sim/machine/warp.h"

#include <algorithm>
#include <bit>
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
    const std::size_t words = end / 4 + 4;
    writes_.resize(words), reads_.resize(words), readers_.resize(words), state_.resize(words);
}

void SharedMemory::begin_block() {
    barrier();
    for (const SharedSegment& segment : segments_) {
        std::memset(state_.data() + segment.begin / 4, 0, segment.bytes / 4 + 1);
        if (!options_.uninitialised) std::memset(bytes_.data() + segment.begin, 0xff, segment.bytes);
    }
}

bool SharedMemory::inside(std::uint64_t address, std::uint32_t bytes) const {
    return std::any_of(segments_.begin(), segments_.end(), [&](const SharedSegment& segment) {
        const std::uint64_t offset = address - segment.begin;
        return offset < segment.bytes && bytes <= segment.bytes - offset;
    });
}

std::string SharedMemory::place(std::uint64_t address) const {
    const SharedSegment* nearest = nullptr;
    for (const SharedSegment& segment : segments_) {
        if (segment.begin <= address + kSharedGap && (!nearest || segment.begin > nearest->begin)) nearest = &segment;
    }
    if (!nearest) return "shared address " + std::to_string(address);
    const std::int64_t offset = std::int64_t(address) - nearest->begin;
    return "byte " + std::to_string(offset) + " of " + demangled(nearest->name) + " (" +
           std::to_string(nearest->bytes) + " bytes)";
}

void SharedMemory::check(Warp& warp, const Access& a, const Run& run) {
    // Lanes that are inside while the run is not would span two arrays, which have gaps between them.
    for (std::uint32_t i = 0; !inside(run.address, run.bytes) && i < run.lanes; ++i) {
        const Run one = of_lane(a, run, run.first + i);
        if (inside(one.address, one.bytes)) continue;
        warp.fault(a.in, one.first,
                   "shared memory out of bounds: " + std::to_string(one.bytes) + " bytes at " + place(one.address));
    }
    if (!options_.races && !options_.uninitialised) return;
    if (a.bytes % 4 != 0 || a.kind == MemoryAccess::kAtomic) return check_words(warp, a, run);
    if (a.kind == MemoryAccess::kRead) return read_words(warp, a, run);
    write_words(warp, a, run);
}

// Word by word, with all that can be said about each.
void SharedMemory::check_words(Warp& warp, const Access& a, const Run& run) {
    for (std::uint32_t i = 0; i < run.lanes; ++i) {
        const Run one = of_lane(a, run, run.first + i);
        const std::byte* value = a.values ? a.values + one.first * a.bytes : nullptr;
        const auto begin = std::uint32_t(one.address), end = begin + one.bytes;
        for (std::uint32_t at = begin; at < end;) {
            const std::uint32_t count = std::min(4 - at % 4, end - at), mask = ((1u << count) - 1) << at % 4;
            check_word(warp, a, one.first, at / 4, mask, value ? value + (at - begin) : nullptr);
            record(warp, a, one.first, at / 4, mask);
            at += count;
        }
    }
}

void SharedMemory::read_words(Warp& warp, const Access& a, const Run& run) {
    const auto begin = std::uint32_t(run.address / 4), words = run.bytes / 4;
    Stamp *writes = writes_.data() + begin, *reads = reads_.data() + begin;
    const std::uint8_t* state = state_.data() + begin;
    const std::uint64_t now = std::uint64_t{since_barrier_} << 32;
    const std::uint32_t must = options_.uninitialised ? kWritten | kCopying : kCopying;
    std::uint32_t doubtful = 0;
    for (std::uint32_t w = 0; w < words; ++w) doubtful |= writes[w].bits >= now;
    for (std::uint32_t w = 0; w < words; ++w) doubtful |= (state[w] ^ kWritten) & must;
    if (doubtful) return check_words(warp, a, run);
    std::uint32_t* readers = readers_.data() + begin;
    const std::uint32_t self = 1u << warp.index(), shift = std::uint32_t(std::countr_zero(a.bytes)) - 2;
    const std::uint64_t several = Stamp::of(0, 0, 0, kWarp, 0).bits, of_lanes = Stamp::of(0, 0, 0, 63, 0).bits;
    const std::uint64_t base = Stamp::of(warp.phase(), warp.pc_of(a.in), warp.index(), 0, 15).bits;
    const std::uint64_t phase = std::uint64_t{warp.phase()} << 32;
    for (std::uint32_t w = 0; w < words; ++w) readers[w] = (reads[w].bits >= now ? readers[w] : 0) | self;
    for (std::uint32_t w = 0; w < words; ++w) {
        const std::uint64_t lane = run.same ? several : std::uint64_t{run.first + (w >> shift)} << 4;
        const std::uint64_t old = reads[w].bits;
        // The present phase is the last, so that a stamp not below it is of this very phase.
        const bool another = old >= phase && (old & of_lanes) != lane;
        reads[w].bits = base | (another ? several : lane);
    }
}

void SharedMemory::write_words(Warp& warp, const Access& a, const Run& run) {
    const auto begin = std::uint32_t(run.address / 4), words = run.bytes / 4;
    Stamp* writes = writes_.data() + begin;
    const Stamp* reads = reads_.data() + begin;
    std::uint8_t* state = state_.data() + begin;
    const std::uint64_t now = std::uint64_t{since_barrier_} << 32;
    std::uint32_t doubtful = 0;
    for (std::uint32_t w = 0; w < words; ++w) doubtful |= writes[w].bits >= now || reads[w].bits >= now;
    for (std::uint32_t w = 0; w < words; ++w) doubtful |= state[w] & kCopying;
    if (doubtful) return check_words(warp, a, run);
    const std::uint32_t shift = std::uint32_t(std::countr_zero(a.bytes)) - 2;
    const std::uint64_t base = Stamp::of(warp.phase(), warp.pc_of(a.in), warp.index(), 0, 15).bits;
    for (std::uint32_t w = 0; w < words; ++w) writes[w].bits = base | std::uint64_t{run.first + (w >> shift)} << 4;
    std::memset(state, kWritten, words);
}

void SharedMemory::check_word(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, std::uint32_t mask,
                              const std::byte* value) {
    if (a.kind != MemoryAccess::kWrite && options_.uninitialised && (state_[word] & mask) != mask) {
        warp.fault(a.in, lane, "read of shared memory that nobody wrote: " + place(word * 4));
    }
    if (!options_.races) return;
    if (state_[word] >> 4 & mask) {
        const Stamp copy = writes_[word];
        warp.fault(a.in, lane,
                   std::string(a.kind == MemoryAccess::kRead ? "read" : "write") +
                       " of shared memory that a cp.async may still be writing (no wait for it before): " +
                       place(word * 4) + ", copied by " + warp.describe(copy.pc(), copy.warp(), copy.lane()));
    }
    check_race(warp, a, lane, word, mask, value);
}

void SharedMemory::check_race(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, std::uint32_t mask,
                              const std::byte* value) const {
    const bool writes = a.kind != MemoryAccess::kRead;
    const std::uint32_t self = warp.index();
    if (const Stamp write = writes_[word]; now(write) && (write.mask() & mask)) {
        const bool apart = write.warp() != self || (write.lane() != lane && write.phase() == warp.phase());
        // Writing what is there already is harmless.
        const std::uint32_t first = std::uint32_t(__builtin_ctz(mask));
        const bool same_value =
            writes && value &&
            std::memcmp(bytes_.data() + word * 4 + first, value, std::size_t(__builtin_popcount(mask))) == 0;
        if (apart && !same_value) race(warp, a, lane, word, true, write);
    }
    if (const Stamp read = reads_[word]; writes && now(read) && (read.mask() & mask)) {
        const bool other_warp = (readers_[word] & ~(1u << self)) != 0;
        const bool other_lane = read.warp() == self && read.lane() != lane && read.phase() == warp.phase();
        if (other_warp || other_lane) race(warp, a, lane, word, false, read);
    }
}

void SharedMemory::record(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, std::uint32_t mask) {
    if (a.kind != MemoryAccess::kRead) state_[word] |= std::uint8_t(mask);
    if (a.kind == MemoryAccess::kAtomic) return;
    const std::uint32_t pc = warp.pc_of(a.in), self = warp.index();
    if (a.kind == MemoryAccess::kRead) {
        const Stamp old = reads_[word];
        const std::uint32_t by = old.phase() == warp.phase() && old.lane() != lane ? kWarp : lane;
        readers_[word] = (now(old) ? readers_[word] : 0) | 1u << self;
        reads_[word] = Stamp::of(warp.phase(), pc, self, by, mask | (now(old) ? old.mask() : 0));
    } else {
        const Stamp old = writes_[word];
        const bool again = now(old) && old.warp() == self && old.lane() == lane;
        writes_[word] = Stamp::of(warp.phase(), pc, self, lane, mask | (again ? old.mask() : 0));
    }
}

void SharedMemory::race(Warp& warp, const Access& a, std::uint32_t lane, std::uint32_t word, bool wrote,
                        Stamp other) const {
    const std::string missing = other.warp() == warp.index() ? "__syncwarp or barrier" : "barrier";
    warp.fault(a.in, lane,
               std::string("race on shared memory: ") + (a.kind == MemoryAccess::kRead ? "read" : "write") +
                   " after a " + (wrote ? "write" : "read") + " with no " + missing + " between, " + place(word * 4) +
                   ", " + (wrote ? "written by " : "read by ") + warp.describe(other.pc(), other.warp(), other.lane()));
}

void SharedMemory::begin_copy(std::uint32_t address, std::uint32_t bytes) {
    if (!options_.races) return;
    for (std::uint32_t word = address / 4; word < (address + bytes) / 4; ++word) state_[word] |= kCopying;
}

void SharedMemory::end_copy(Warp& warp, std::uint32_t lane, std::uint32_t address, std::uint32_t bytes) {
    for (std::uint32_t word = address / 4; word < (address + bytes) / 4; ++word) {
        state_[word] = kWritten;
        // As if written now, by the instruction that copied.
        writes_[word] = Stamp::of(warp.phase(), writes_[word].pc(), warp.index(), lane, 15);
    }
}

}  // namespace gpu_sim
