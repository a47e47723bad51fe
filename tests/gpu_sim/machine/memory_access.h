#pragma once
// Addresses of instructions, and the bytes they name after all checks, whatever the space.
#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/select_type.h"

namespace gpu_sim {

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

// Of all lanes, of which those outside the mask mean nothing.
inline void set_addresses(Warp& warp, Access& a, Operand base) {
    const auto offset = std::uint64_t(a.in.immediate);
    if (!base) {
        a.address.fill(offset);
    } else if (base.negated()) {
        const std::uint32_t* from = warp.at<std::uint32_t>(base);
        for (std::uint32_t lane = 0; lane < kWarp; ++lane) a.address[lane] = from[lane] + offset;
    } else {
        const std::uint64_t* from = warp.at<std::uint64_t>(base);
        for (std::uint32_t lane = 0; lane < kWarp; ++lane) a.address[lane] = from[lane] + offset;
    }
}

inline void check_alignment(Warp& warp, const Access& a) {
    std::uint64_t bits = 0;
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) bits |= (a.lanes >> lane & 1) ? a.address[lane] : 0;
    // Sizes are powers of two.
    if ((bits & (a.bytes - 1)) == 0) return;
    each_lane(a.lanes, [&](std::uint32_t lane) {
        if ((a.address[lane] & (a.bytes - 1)) == 0) return;
        warp.fault(a.in, lane,
                   "misaligned address: an access of " + std::to_string(a.bytes) + " bytes at an address that is " +
                       std::to_string(a.address[lane] % a.bytes) + " past a multiple of that");
    });
}

// Local memory is each lane's own; parameters are every lane's.
std::byte* local_bytes(Warp& warp, const Access& a, std::uint32_t lane);
std::byte* parameter_bytes(Warp& warp, const Access& a, std::uint32_t lane);
// The lanes of a generic access whose addresses lie in the window of the first.
std::uint32_t lanes_of_first_window(const Access& a);

// use(run, bytes): the bytes that lanes [run.first, run.first + run.lanes) name, after all checks. Together the runs
// are the lanes of the access.
template <ptx::Space Space, class F>
inline void access(Warp& warp, Access& a, F&& use) {
    using enum ptx::Space;
    if constexpr (Space == kGeneric) {
        const std::uint32_t all = a.lanes;
        for (std::uint32_t left = all; left != 0; left &= ~a.lanes) {
            a.lanes = left;
            a.lanes = lanes_of_first_window(a);
            const std::uint64_t window = a.address[__builtin_ctz(a.lanes)] & kWindowMask;
            if (window != kSharedWindow && window != kLocalWindow) {
                access<kGlobal>(warp, a, use);
                continue;
            }
            each_lane(a.lanes, [&](std::uint32_t lane) { a.address[lane] -= window; });
            if (window == kSharedWindow) access<kShared>(warp, a, use);
            if (window == kLocalWindow) access<kLocal>(warp, a, use);
        }
        a.lanes = all;
        return;
    }
    check_alignment(warp, a);
    if constexpr (Space == kShared) {
        warp.shared().access(warp, a, use);
    } else if constexpr (Space == kLocal || Space == kParam) {
        each_lane(a.lanes, [&](std::uint32_t lane) {
            std::byte* bytes = Space == kLocal ? local_bytes(warp, a, lane) : parameter_bytes(warp, a, lane);
            use(Run{a.address[lane], a.bytes, lane, 1, false}, bytes);
        });
    } else {
        warp.global().access(warp, a, use);
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
std::uint32_t bank_conflicts(const Access& a);

}  // namespace gpu_sim
