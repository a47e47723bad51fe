#pragma once
// Addresses of instructions, and the bytes they name after all checks, whatever the space.
#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/select_type.h"

namespace gpu_sim {

enum class MemoryAccess : std::uint8_t { kRead, kWrite, kAtomic };

// Sets the operand and the offset of an address; a constant address becomes an offset without operand.
inline ptx::Space take_address(Decoding& d, std::size_t text, std::size_t operand, ptx::Space space) {
    const Decoding::Address address = d.address(text);
    d.in.immediate = address.offset;
    if (!address.constant) d.in.operand[operand] = address.base;
    // Bit 0: a base register of 32 bits.
    if (!address.wide) d.in.operand[operand].bits |= Operand::kNegated;
    if (space == ptx::Space::kParam && address.constant && address.local) return ptx::Space::kLocal;
    return space;
}

inline std::uint64_t address_of(Warp& warp, const Instruction& in, Operand base, std::uint32_t lane) {
    const auto offset = std::uint64_t(in.immediate);
    if (!base) return offset;
    // The flag of negated predicates says that the base has 32 bits.
    if (base.negated()) return warp.at<std::uint32_t>(base)[lane] + offset;
    return warp.at<std::uint64_t>(base)[lane] + offset;
}

inline std::byte* local_bytes(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t address,
                              std::uint32_t bytes) {
    const std::uint32_t size = warp.grid().program.local_bytes;
    if (address > size || bytes > size - address) {
        warp.fault(in, lane,
                   "local memory out of bounds: byte " + std::to_string(std::int64_t(address)) + " of " +
                       std::to_string(size));
    }
    if (warp.grid().counters) warp.grid().counters->local_bytes += bytes;
    return warp.local(lane) + address;
}

// `value`: what will be written, for the checks of races.
template <ptx::Space Space>
inline std::byte* bytes_at(Warp& warp, const Instruction& in, std::uint32_t lane, std::uint64_t address,
                           std::uint32_t bytes, MemoryAccess kind, const std::byte* value = nullptr) {
    // Sizes are powers of two.
    if ((address & (bytes - 1)) != 0) {
        warp.fault(in, lane,
                   "misaligned address: an access of " + std::to_string(bytes) + " bytes at an address that is " +
                       std::to_string(address % bytes) + " past a multiple of that");
    }
    if constexpr (Space == ptx::Space::kGeneric) {
        const std::uint64_t window = address & kWindowMask;
        if (window == kSharedWindow) {
            return bytes_at<ptx::Space::kShared>(warp, in, lane, address - window, bytes, kind, value);
        }
        if (window == kLocalWindow) return local_bytes(warp, in, lane, address - window, bytes);
        return bytes_at<ptx::Space::kGlobal>(warp, in, lane, address, bytes, kind, value);
    } else if constexpr (Space == ptx::Space::kShared) {
        if (address >> 32) warp.fault(in, lane, "an address that is not in shared memory");
        return warp.shared().access(warp, in, lane, std::uint32_t(address), bytes, SharedMemory::Access(kind), value);
    } else if constexpr (Space == ptx::Space::kLocal) {
        return local_bytes(warp, in, lane, address, bytes);
    } else if constexpr (Space == ptx::Space::kParam) {
        const auto& image = warp.grid().launch.parameters;
        if (address + bytes > image.size()) warp.fault(in, lane, "parameter out of bounds");
        return const_cast<std::byte*>(image.data() + address);
    } else {
        if (KernelCounters* counters = warp.grid().counters) {
            if (kind != MemoryAccess::kWrite) counters->requested_global_read += bytes;
            if (kind != MemoryAccess::kRead) counters->requested_global_written += bytes;
        }
        return warp.global().access(warp, in, lane, address, bytes, GlobalAccess::Kind(kind), value);
    }
}

inline ptx::Space take_space(Decoding& d) {
    const std::string_view space = d.take_any({"global", "shared", "local", "param", "const"});
    d.take("cta");
    if (space == "shared") return ptx::Space::kShared;
    if (space == "local") return ptx::Space::kLocal;
    if (space == "param") return ptx::Space::kParam;
    return space.empty() ? ptx::Space::kGeneric : ptx::Space::kGlobal;
}

// Extra wavefronts of a warp's access to shared memory: the most different words of one bank, above what its size
// needs.
std::uint32_t bank_conflicts(const std::array<std::uint64_t, kWarp>& addresses, std::uint32_t lanes,
                             std::uint32_t bytes);

}  // namespace gpu_sim
