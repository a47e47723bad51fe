#pragma once
// A GPU in software: runs the PTX that nvcc emitted, so that CUDA kernels are tested on machines without a GPU, and
// reports what a GPU would keep silent about: accesses out of bounds, reads of memory nobody wrote, races, barriers
// that not every thread reaches, shuffles from lanes that take no part.
//
// A warp runs in lockstep: a register is an array of 32 lanes and an instruction a loop over it. Lanes that diverge
// form groups; the group with the lowest program counter runs first and groups that meet merge. Blocks, and warps
// within a block, run in a seeded random order. Speed: 10^8 to 10^9 thread instructions a second. Not simulated: time,
// caches, weak memory ordering between threads, instructions newer than sm_80.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace gpu_sim {

struct Dim3 {
    std::uint32_t x = 1, y = 1, z = 1;
    std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

// A mistake of a kernel or of its launch: what, kernel, source line, PTX line, block, thread. what() is the whole
// report.
struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Device memory. The addresses handed out lie in a range that the host cannot touch; the machine works on an alias of
// it. Addresses are never used twice, so that a pointer that outlived its allocation is noticed.
class DeviceMemory {
public:
    // Reserves addresses, not memory: pages appear when they are touched.
    explicit DeviceMemory(std::uint64_t capacity);
    ~DeviceMemory();
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;

    // 256-byte aligned, filled with 0xFF (a NaN in every float format) and marked as never written. 0 if it does not
    // fit.
    std::uint64_t allocate(std::uint64_t bytes);
    // As above, page aligned, but the host may touch it too, so that every byte counts as written.
    std::uint64_t allocate_managed(std::uint64_t bytes);
    // Throws Fault if `address` is not the start of an allocation; a later access to it is a Fault.
    void free(std::uint64_t address);
    // Inside the reserved range; says nothing about allocations.
    bool owns(const void* address) const;
    struct Range {
        std::uint64_t begin, bytes;
    };
    // Throws Fault if `address` is not device memory, or no longer.
    Range allocation_of(std::uint64_t address) const;
    // The host alias of [address, address + bytes), which must lie in one live allocation. For copies and libraries.
    std::byte* access(std::uint64_t address, std::uint64_t bytes);
    void mark_written(std::uint64_t address, std::uint64_t bytes);
    bool all_written(std::uint64_t address, std::uint64_t bytes) const;
    // Bytes in live allocations, and those of adopted memory not counted.
    std::uint64_t used() const;
    std::uint64_t capacity() const;
    // Pinned memory of the host, which kernels may use at its own address: its bounds are checked, and nothing else.
    // Returns the address.
    std::uint64_t adopt(void* host, std::uint64_t bytes);
    void disown(void* host);

    struct State;
    State& state() { return *state_; }
    const State& state() const { return *state_; }

private:
    std::unique_ptr<State> state_;
};

struct Options {
    std::uint64_t seed = 1;
    // Two accesses to the same bytes, one of them a write, with nothing that orders them.
    bool races = true;
    // Reads of shared or global memory that nobody wrote.
    bool uninitialised = true;
    // Every thread of the block must arrive at a barrier; otherwise threads that have exited count as arrived.
    bool strict_barriers = true;
    // Instructions that one warp may execute before its loop counts as endless.
    std::uint64_t instruction_limit = 200'000'000;
};

// One PTX text. Kernels are decoded when they are first needed.
class Module {
public:
    // Allocates and fills the variables of the text. `memory` must outlive the module. Throws Fault if the text is not
    // PTX.
    Module(std::string_view ptx, DeviceMemory& memory);
    ~Module();
    Module(Module&&) noexcept;
    Module& operator=(Module&&) noexcept;

    struct Parameter {
        std::uint32_t offset, bytes;
    };
    struct KernelInfo {
        std::string name;  // mangled
        std::vector<Parameter> parameters;
        std::uint32_t parameter_bytes;
        std::uint32_t static_shared;  // bytes
        std::uint32_t max_threads;    // a block, as __launch_bounds__ says; 0: any
        std::uint32_t local_bytes;    // a thread
    };
    // nullptr if the module has no such kernel. Throws Fault naming an instruction that the machine does not know.
    const KernelInfo* find(std::string_view mangled) const;
    std::vector<std::string> kernels() const;
    // Address of a __device__ or __constant__ variable; 0 if there is none.
    std::uint64_t variable(std::string_view name) const;

    struct State;
    State& state() const { return *state_; }

private:
    std::unique_ptr<State> state_;
};

// What the launches of a kernel did; execute() adds to it.
struct KernelCounters {
    std::uint64_t launches = 0, blocks = 0, warp_instructions = 0, thread_instructions = 0;
    // Of f32, f64 and packed halves, by threads: an fma is two, a sum or a product one. Of mma. And how many roots,
    // quotients, exponentials and the like.
    std::uint64_t flops = 0, tensor_flops = 0, special_functions = 0;
    // Bytes that threads asked for.
    std::uint64_t requested_global_read = 0, requested_global_written = 0;
    // Distinct 32-byte sectors of each block, summed over blocks: what a cache per block would ask of DRAM.
    std::uint64_t sectors_read = 0, sectors_written = 0;
    // Distinct over a launch: what an infinite cache would ask of DRAM.
    std::uint64_t launch_sectors_read = 0, launch_sectors_written = 0;
    // Accesses of warps, and the extra cycles that bank conflicts cost them.
    std::uint64_t shared_accesses = 0, shared_conflicts = 0;
    std::uint64_t ldmatrix = 0, ldmatrix_conflicts = 0;
    // Bytes of local memory (spills, arrays indexed at run time) that threads read or wrote.
    std::uint64_t local_bytes = 0;
    std::uint64_t mma = 0, cp_async = 0;           // instructions of warps
    std::map<std::string, std::uint64_t> opcodes;  // instructions of warps

    // visit(name, value) for each counter above but the last.
    template <class Self, class F>
    static void each(Self& c, F&& visit) {
        visit("launches", c.launches), visit("blocks", c.blocks);
        visit("warp_instructions", c.warp_instructions), visit("thread_instructions", c.thread_instructions);
        visit("flops", c.flops), visit("tensor_flops", c.tensor_flops);
        visit("special_functions", c.special_functions);
        visit("requested_global_read", c.requested_global_read);
        visit("requested_global_written", c.requested_global_written);
        visit("sectors_read", c.sectors_read), visit("sectors_written", c.sectors_written);
        visit("launch_sectors_read", c.launch_sectors_read);
        visit("launch_sectors_written", c.launch_sectors_written);
        visit("shared_accesses", c.shared_accesses), visit("shared_conflicts", c.shared_conflicts);
        visit("ldmatrix", c.ldmatrix), visit("ldmatrix_conflicts", c.ldmatrix_conflicts);
        visit("local_bytes", c.local_bytes), visit("mma", c.mma), visit("cp_async", c.cp_async);
    }
};

struct Launch {
    const Module* module = nullptr;
    std::string kernel;  // mangled
    Dim3 grid, block;
    std::uint32_t dynamic_shared = 0;
    std::vector<std::byte> parameters;  // image of the param space
};

// Runs a whole grid; blocks in a seeded random order, warps by seeded random priorities. Throws Fault.
void execute(const Launch&, DeviceMemory&, const Options&, KernelCounters* counters = nullptr);

}  // namespace gpu_sim
