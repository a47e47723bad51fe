#pragma once
// Checked access of a warp to global memory: bounds, bytes nobody wrote, races between blocks, sectors for the
// counters.
//
// Blocks run one after another, so two blocks race if both touched a byte in one launch and one of them wrote another
// value than was there. Atomics are exempt, as are accesses of single bytes; and a block that took part in an atomic on
// some address after a fence is ordered after those that did so before it (the pattern of a grid's last block).
#include "tests/gpu_sim/machine/access.h"
#include "tests/gpu_sim/machine/memory_state.h"

namespace gpu_sim {

class Warp;
struct Grid;

class GlobalAccess {
public:
    explicit GlobalAccess(Grid& grid);

    // use(run, bytes) for each run, after all checks of it.
    template <class F>
    void access(Warp& warp, const Access& a, F&& use) {
        each_run(a, [&](const Run& run) { access(warp, a, run, use); });
    }

private:
    template <class F>
    void access(Warp& warp, const Access& a, const Run& run, F&& use) {
        const Allocation* in = locate(warp, a, run);
        if (!in) {
            // Lanes in several allocations.
            for (std::uint32_t i = 0; i < run.lanes; ++i) access(warp, a, of_lane(a, run, run.first + i), use);
            return;
        }
        std::byte* alias = in->alias + (run.address - in->begin);
        if (shadowed_ && !in->adopted) shadow(warp, a, run, *in, alias);
        use(run, alias);
    }
    // The allocation that holds all of the run, nullptr if only its lanes one by one are within some. Throws Fault.
    const Allocation* locate(Warp& warp, const Access& a, const Run& run);
    void shadow(Warp& warp, const Access& a, const Run& run, const Allocation& in, const std::byte* alias);
    void check_written(Warp& warp, const Access& a, const Run& run, const Allocation& in);
    void check_race(Warp& warp, const Access& a, const Run& run, const Allocation& in, const std::byte* alias);
    void check_half(Warp& warp, const Access& a, std::uint32_t lane, std::uint64_t half, bool changes,
                    const Allocation& in);
    void count_sectors(Warp& warp, const Access& a, const Run& run);

    Grid& grid_;
    DeviceMemory::State& memory_;
    const bool shadowed_, races_;
};

}  // namespace gpu_sim
