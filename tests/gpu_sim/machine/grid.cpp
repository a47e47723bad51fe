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

void add_counters(const Grid& grid, std::uint64_t blocks, KernelCounters& counters) {
    ++counters.launches;
    counters.blocks += blocks;
    counters.thread_instructions += grid.thread_instructions;
    for (std::size_t i = 0; i < grid.executions.size(); ++i) {
        if (grid.executions[i] == 0) continue;
        const std::string opcode(grid.program.source[i]->opcode);
        counters.warp_instructions += grid.executions[i];
        counters.opcodes[opcode] += grid.executions[i];
        if (opcode.starts_with("mma.")) counters.mma += grid.executions[i];
        if (opcode.starts_with("ldmatrix.")) counters.ldmatrix += grid.executions[i];
        if (opcode.starts_with("cp.async.c")) {
            const bool copies = opcode.starts_with("cp.async.ca") || opcode.starts_with("cp.async.cg");
            if (copies) counters.cp_async += grid.executions[i];
        }
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
    DeviceMemory::State& state = memory.state();
    ++state.launches;
    std::vector<std::uint32_t> order(launch.grid.count());
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[grid.random.below(std::uint32_t(i))]);
    Block block(grid);
    const Dim3& size = launch.grid;
    for (std::uint32_t i = 0; i < order.size(); ++i) {
        ++state.blocks;
        block.run({order[i] % size.x, order[i] / size.x % size.y, order[i] / size.x / size.y}, i + 1);
    }
    if (counters) add_counters(grid, order.size(), *counters);
}

}  // namespace gpu_sim
