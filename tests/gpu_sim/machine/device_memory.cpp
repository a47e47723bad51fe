#include "tests/gpu_sim/machine/memory_state.h"

#include <cstdio>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace gpu_sim {

namespace {

constexpr std::uint64_t kAlign = 256, kPage = 4096;

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t to) { return (bytes + to - 1) / to * to; }

// Address space whose pages appear, as zeros, when they are touched.
void* reserve(std::uint64_t bytes, int protection) {
    void* at = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    return at;
}

// Gives the pages that lie fully within back to the system; they read as zeros again.
void drop(void* base, std::uint64_t begin, std::uint64_t end) {
    begin = round_up(begin, kPage);
    end = end / kPage * kPage;
    if (begin < end) madvise(static_cast<std::byte*>(base) + begin, end - begin, MADV_DONTNEED);
}

std::string hex(std::uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

}  // namespace

DeviceMemory::DeviceMemory(std::uint64_t capacity) : state_(std::make_unique<State>()) {
    capacity = round_up(capacity, kPage);
    State& s = *state_;
    s.capacity = capacity;
    s.reserved = static_cast<std::byte*>(reserve(capacity, PROT_NONE));
    s.alias = static_cast<std::byte*>(reserve(capacity, PROT_READ | PROT_WRITE));
    s.written = static_cast<std::uint64_t*>(reserve(capacity / 8 + kPage, PROT_READ | PROT_WRITE));
    s.writers = static_cast<std::uint32_t*>(reserve(capacity * 2, PROT_READ | PROT_WRITE));
    s.readers = static_cast<std::uint32_t*>(reserve(capacity * 2, PROT_READ | PROT_WRITE));
    s.sectors = static_cast<SectorCell*>(reserve(capacity / 32 * sizeof(SectorCell), PROT_READ | PROT_WRITE));
}

DeviceMemory::~DeviceMemory() {
    const State& s = *state_;
    munmap(s.reserved, s.capacity);
    munmap(s.alias, s.capacity);
    munmap(s.written, s.capacity / 8 + kPage);
    munmap(s.writers, s.capacity * 2);
    munmap(s.readers, s.capacity * 2);
    munmap(s.sectors, s.capacity / 32 * sizeof(SectorCell));
}

std::uint64_t DeviceMemory::allocate(std::uint64_t bytes) {
    State& s = *state_;
    const std::uint64_t offset = s.take(bytes, kAlign);
    if (offset == State::kFull) return 0;
    s.allocations[s.base() + offset] = {.begin = s.base() + offset, .bytes = bytes, .alias = s.alias + offset};
    std::memset(s.alias + offset, 0xff, bytes);
    return s.base() + offset;
}

std::uint64_t DeviceMemory::allocate_managed(std::uint64_t bytes) {
    State& s = *state_;
    const std::uint64_t offset = s.take(bytes, kPage);
    if (offset == State::kFull) return 0;
    // No alias: these pages of the reserved range are the memory.
    std::byte* memory = s.reserved + offset;
    if (mprotect(memory, round_up(bytes, kPage), PROT_READ | PROT_WRITE) != 0) return 0;
    s.allocations[s.base() + offset] = {
        .begin = s.base() + offset, .bytes = bytes, .alias = memory, .managed = true, .full = true};
    std::memset(memory, 0xff, bytes);
    return s.base() + offset;
}

void DeviceMemory::free(std::uint64_t address) {
    State& s = *state_;
    const auto found = s.allocations.find(address);
    if (found == s.allocations.end() || found->second.adopted) {
        throw Fault("free of " + hex(address) + ", which is not the start of an allocation" +
                    (s.freed.contains(address) ? ": it was freed before" : ""));
    }
    const std::uint64_t begin = address - s.base(), end = begin + found->second.bytes;
    if (found->second.managed) {
        const std::uint64_t size = round_up(found->second.bytes, kPage);
        madvise(s.reserved + begin, size, MADV_DONTNEED);
        mprotect(s.reserved + begin, size, PROT_NONE);
    }
    drop(s.alias, begin, end);
    drop(s.written, begin / 8, end / 8);
    drop(s.writers, begin * 2, end * 2);
    drop(s.readers, begin * 2, end * 2);
    drop(s.sectors, begin / 32 * sizeof(SectorCell), end / 32 * sizeof(SectorCell));
    s.used -= found->second.bytes;
    s.freed[address] = found->second;
    s.allocations.erase(found);
}

bool DeviceMemory::owns(const void* address) const {
    const auto* at = static_cast<const std::byte*>(address);
    return at >= state_->reserved && at < state_->reserved + state_->capacity;
}

DeviceMemory::Range DeviceMemory::allocation_of(std::uint64_t address) const {
    const Allocation* found = state_->find(address);
    if (!found) throw Fault(state_->explain(address, 1));
    return {found->begin, found->bytes};
}

std::byte* DeviceMemory::access(std::uint64_t address, std::uint64_t bytes) {
    if (Allocation* found = state_->find(address)) {
        if (bytes <= found->bytes - (address - found->begin)) return found->alias + (address - found->begin);
    }
    throw Fault(state_->explain(address, bytes));
}

void DeviceMemory::mark_written(std::uint64_t address, std::uint64_t bytes) {
    Allocation* found = state_->find(address);
    if (!found || found->adopted || found->full) return;
    if (address == found->begin && bytes >= found->bytes) found->full = true;
    state_->set_written(address - state_->base(), bytes);
}

bool DeviceMemory::all_written(std::uint64_t address, std::uint64_t bytes) const {
    const Allocation* found = state_->find(address);
    if (!found) return false;
    return found->adopted || found->full || state_->all_written(address - state_->base(), bytes);
}

void DeviceMemory::State::find_full() {
    constexpr std::uint64_t kStep = 64;  // one word of bits
    for (auto& [address, a] : allocations) {
        if (a.full) continue;
        const std::uint64_t offset = a.begin - base();
        while (a.prefix < a.bytes && all_written(offset + a.prefix, std::min(kStep, a.bytes - a.prefix)))
            a.prefix = std::min(a.prefix + kStep, a.bytes);
        a.full = a.prefix == a.bytes;
    }
}

std::uint64_t DeviceMemory::used() const { return state_->used; }

std::uint64_t DeviceMemory::capacity() const { return state_->capacity; }

std::uint64_t DeviceMemory::adopt(void* host, std::uint64_t bytes) {
    const auto address = reinterpret_cast<std::uint64_t>(host);
    state_->allocations[address] = {
        .begin = address, .bytes = bytes, .alias = static_cast<std::byte*>(host), .adopted = true, .full = true};
    return address;
}

void DeviceMemory::disown(void* host) {
    const auto found = state_->allocations.find(reinterpret_cast<std::uint64_t>(host));
    if (found == state_->allocations.end() || !found->second.adopted) {
        throw Fault("memory that was not adopted is given back");
    }
    state_->allocations.erase(found);
}

std::uint64_t DeviceMemory::State::take(std::uint64_t bytes, std::uint64_t align) {
    const std::uint64_t offset = round_up(next, align), size = round_up(std::max<std::uint64_t>(bytes, 1), align);
    // A gap follows each allocation, so that an index a little too large hits nothing.
    if (bytes > capacity || offset > capacity || size + kAlign > capacity - offset) return kFull;
    next = offset + size + kAlign;
    used += bytes;
    return offset;
}

Allocation* DeviceMemory::State::find(std::uint64_t address) {
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return nullptr;
    Allocation& candidate = std::prev(after)->second;
    return address - candidate.begin < candidate.bytes ? &candidate : nullptr;
}

std::string DeviceMemory::State::explain(std::uint64_t address, std::uint64_t bytes) {
    std::string text = std::to_string(bytes) + " bytes at " + hex(address);
    if (address == 0) return text + ": a null pointer";
    const auto describe = [&](const Allocation& a) {
        const std::uint64_t end = a.begin + a.bytes;
        const std::string of = " of an allocation of " + std::to_string(a.bytes) + " bytes";
        if (address < a.begin) return std::to_string(a.begin - address) + " bytes before the begin" + of;
        if (address >= end) return std::to_string(address - end) + " bytes past the end" + of;
        return "over the end" + of + ", from its byte " + std::to_string(address - a.begin);
    };
    const auto after = allocations.upper_bound(address);
    const auto freed_after = freed.upper_bound(address);
    if (freed_after != freed.begin()) {
        const Allocation& old = std::prev(freed_after)->second;
        if (address - old.begin < old.bytes) {
            return text + ": in an allocation of " + std::to_string(old.bytes) + " bytes that was freed";
        }
    }
    if (after != allocations.begin()) return text + ": out of bounds, " + describe(std::prev(after)->second);
    if (after != allocations.end()) return text + ": out of bounds, " + describe(after->second);
    return text + ": not device memory";
}

}  // namespace gpu_sim
