#pragma once
// One access of a warp to memory. Checks look at runs of lanes that touch bytes beside each other: most often one run
// is the whole warp, and the checks are loops that the compiler vectorises.
#include "tests/gpu_sim/machine/instruction.h"

namespace gpu_sim {

enum class MemoryAccess : std::uint8_t { kRead, kWrite, kAtomic };

struct Access {
    const Instruction& in;
    std::uint32_t lanes;
    std::uint32_t bytes;  // of each lane: a power of two, up to 16
    MemoryAccess kind;
    const std::byte* values = nullptr;  // that will be written, `bytes` a lane, for the checks of races
    std::array<std::uint64_t, kWarp> address;
};

// Lanes [first, first + lanes) at `address` and what follows, or, of reads only, all at `address`.
struct Run {
    std::uint64_t address;
    std::uint32_t bytes;  // of all lanes together
    std::uint32_t first, lanes;
    bool same;
};

inline bool consecutive(const Access& a) {
    std::uint64_t apart = 0;
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        apart |= a.address[lane] ^ (a.address[0] + std::uint64_t{lane} * a.bytes);
    }
    return apart == 0;
}

template <class F>
inline void each_run(const Access& a, F&& f) {
    if (a.lanes == kAllLanes && consecutive(a)) {
        f(Run{a.address[0], kWarp * a.bytes, 0, kWarp, false});
        return;
    }
    for (std::uint32_t left = a.lanes; left != 0;) {
        const auto first = std::uint32_t(__builtin_ctz(left));
        const std::uint64_t address = a.address[first];
        const auto reaches = [&](std::uint32_t lane, std::uint64_t there) {
            return lane < kWarp && (a.lanes >> lane & 1) && a.address[lane] == there;
        };
        std::uint32_t end = first + 1;
        const bool same = a.kind == MemoryAccess::kRead && reaches(end, address);
        while (reaches(end, same ? address : address + std::uint64_t{end - first} * a.bytes)) ++end;
        f(Run{address, same ? a.bytes : (end - first) * a.bytes, first, end - first, same});
        left &= end == kWarp ? 0 : kAllLanes << end;
    }
}

// The part of a run that is one lane's.
inline Run of_lane(const Access& a, const Run& run, std::uint32_t lane) {
    return {run.same ? run.address : run.address + std::uint64_t{lane - run.first} * a.bytes, a.bytes, lane, 1, false};
}

}  // namespace gpu_sim
