#pragma once
// Loops over the lanes of a warp, written so that the compiler vectorises them.
#include "tests/gpu_sim/machine/warp.h"

#include <utility>

namespace gpu_sim {

// d[lane] = f(s[lane]...) for the lanes of the mask. Registers are whole arrays, so s may be d but never overlaps it.
template <class D, class F, class... S>
inline void for_lanes(std::uint32_t mask, D* d, F f, const S*... s) {
    if (mask == kAllLanes) {
#pragma GCC ivdep
        for (std::uint32_t lane = 0; lane < kWarp; ++lane) d[lane] = D(f(s[lane]...));
        return;
    }
#pragma GCC ivdep
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        const D result = D(f(s[lane]...));
        d[lane] = (mask >> lane & 1) ? result : d[lane];
    }
}

// The lanes for which f(s[lane]...) holds.
template <class F, class... S>
inline std::uint32_t lanes_where(F f, const S*... s) {
    std::uint32_t bits[kWarp];
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) bits[lane] = f(s[lane]...) ? 1u << lane : 0u;
    std::uint32_t mask = 0;
    for (const std::uint32_t bit : bits) mask |= bit;
    return mask;
}

// Operand 0 = F(operands 1, 2, ...), lane by lane.
template <class F, class D, class... S>
void map(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        for_lanes(lanes, warp.at<D>(in.operand[0]), F{}, warp.at<S>(in.operand[1 + I])...);
    }
    (std::index_sequence_for<S...>{});
}

// For instructions that are no loop: f(lane) for each lane of the mask.
template <class F>
inline void each_lane(std::uint32_t lanes, F f) {
    for (; lanes != 0; lanes &= lanes - 1) f(std::uint32_t(__builtin_ctz(lanes)));
}

}  // namespace gpu_sim
