// A launch: its blocks one after another, in a seeded random order.
#include "tests/gpu_sim/machine/block.h"
#include "tests/gpu_sim/machine/module_state.h"
#include "tests/gpu_sim/machine/warp.h"

#include <algorithm>
#include <numeric>

namespace gpu_sim {

namespace {

std::string triple(const Dim3& d) {
    return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z);
}

void check(const Launch& launch, const Program& program) {
    const auto fail = [&](const std::string& what) {
        throw Fault("launch of " + demangled(program.name) + ": " + what);
    };
    const Dim3 &grid = launch.grid, &block = launch.block;
    if (block.count() == 0 || block.count() > 1024 || block.x > 1024 || block.y > 1024 || block.z > 64) {
        fail("a block of " + triple(block) + " threads");
    }
    if (program.max_threads != 0 && block.count() > program.max_threads) {
        fail("a block of " + std::to_string(block.count()) + " threads, but __launch_bounds__ allows " +
             std::to_string(program.max_threads));
    }
    if (grid.count() == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
        fail("a grid of " + triple(grid) + " blocks");
    }
    // What the largest of today's GPUs gives a block.
    constexpr std::uint32_t kMostShared = 227 * 1024;
    if (program.static_shared + launch.dynamic_shared > kMostShared) {
        fail(std::to_string(program.static_shared + launch.dynamic_shared) + " bytes of shared memory");
    }
    if (launch.parameters.size() < program.parameter_bytes) {
        fail(std::to_string(launch.parameters.size()) + " bytes of parameters, expected " +
             std::to_string(program.parameter_bytes));
    }
}

// Floating-point operations of one thread, or of a warp for mma; by the words of the opcode.
struct Work {
    std::uint64_t flops = 0, tensor_flops = 0, special = 0;
};
Work work_of(std::string_view opcode) {
    const auto has = [&](std::string_view word) { return opcode.find(word) != std::string_view::npos; };
    const auto is = [&](std::string_view base) { return opcode.starts_with(base) && opcode[base.size()] == '.'; };
    if (is("mma")) {
        const std::size_t k = opcode.find("m16n8k");
        return {.tensor_flops = 2 * 16 * 8 * std::stoul(std::string(opcode.substr(k + 6, 2)))};
    }
    if (!has(".f32") && !has(".f64") && !has("f16")) return {};
    for (const char* base : {"div", "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh"})
        if (is(base)) return {.special = 1};
    const std::uint64_t pair = has("f16x2") ? 2 : 1;
    if (is("fma") || is("mad")) return {.flops = 2 * pair};
    if (is("add") || is("sub") || is("mul")) return {.flops = pair};
    return {};
}

void add_counters(const Grid& grid, std::uint64_t blocks, KernelCounters& counters) {
    ++counters.launches;
    counters.blocks += blocks;
    counters.thread_instructions += grid.thread_instructions;
    for (std::size_t i = 0; i < grid.executions.size(); ++i) {
        const auto [warps, threads] = grid.executions[i];
        if (warps == 0) continue;
        const std::string opcode(grid.program.source[i]->opcode);
        counters.warp_instructions += warps;
        counters.opcodes[opcode] += warps;
        const Work work = work_of(opcode);
        counters.flops += threads * work.flops;
        counters.tensor_flops += warps * work.tensor_flops;
        counters.special_functions += threads * work.special;
        if (opcode.starts_with("mma.")) counters.mma += warps;
        if (opcode.starts_with("ldmatrix.")) counters.ldmatrix += warps;
        if (opcode.starts_with("cp.async.ca") || opcode.starts_with("cp.async.cg")) counters.cp_async += warps;
    }
}

}  // namespace

void execute(const Launch& launch, DeviceMemory& memory, const Options& options, KernelCounters* counters) {
    if (!launch.module->find(launch.kernel))
        throw Fault("launch of " + launch.kernel + ": the module has no such kernel");
    const Program& program = launch.module->state().program(launch.kernel);
    check(launch, program);
    Grid grid{.launch = launch,
              .program = program,
              .memory = memory,
              .options = options,
              .counters = counters,
              .random = Random(options.seed),
              .executions = {},
              .thread_instructions = 0};
    if (counters) grid.executions.resize(program.code.size());
    grid.touched.resize(program.code.size());
    DeviceMemory::State& state = memory.state();
    state.find_full();
    if (~state.blocks <= launch.grid.count() + 1) throw Fault("more blocks than a process can run");
    state.first_block = state.blocks + 1;
    state.many_blocks = state.first_block + std::uint32_t(launch.grid.count());
    state.blocks = state.many_blocks;
    std::vector<std::uint32_t> order(launch.grid.count());
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[grid.random.below(std::uint32_t(i))]);
    Block block(grid);
    const Dim3& size = launch.grid;
    std::uint32_t number = state.first_block;
    for (const std::uint32_t i : order) {
        block.run({i % size.x, i / size.x % size.y, i / size.x / size.y}, number++);
    }
    if (counters) add_counters(grid, order.size(), *counters);
}

}  // namespace gpu_sim
