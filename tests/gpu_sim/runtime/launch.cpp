#include "tests/gpu_sim/runtime/launch.h"

#include "tests/gpu_sim/runtime/device_limits.h"

#include <algorithm>
#include <cstring>

namespace gpu_sim {

namespace {

std::string text(const dim3& d) {
    return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

void check(const Function& function, const Module::KernelInfo& info, const dim3& grid, const dim3& block,
           std::uint64_t shared) {
    const auto refuse = [&](bool fine, cudaError_t code, const std::string& why) {
        require(fine, code,
                function.display + " grid " + text(grid) + " block " + text(block) + " shared " +
                    std::to_string(shared) + ": " + why);
    };
    refuse(grid.x && grid.y && grid.z && block.x && block.y && block.z, cudaErrorInvalidConfiguration, "a size is 0");
    refuse(grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535, cudaErrorInvalidConfiguration,
           "the largest grid is (2147483647,65535,65535)");
    const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
    refuse(block.x <= 1024 && block.y <= 1024 && block.z <= 64 && threads <= 1024, cudaErrorInvalidConfiguration,
           "a block has at most 1024 threads, and at most 64 in z");
    refuse(info.max_threads == 0 || threads <= info.max_threads, cudaErrorLaunchOutOfResources,
           "__launch_bounds__ of the kernel is " + std::to_string(info.max_threads));
    const unsigned limit = dynamic_shared_limit(function, info);
    refuse(shared <= limit, cudaErrorInvalidValue,
           "at most " + std::to_string(limit) + " bytes of dynamic shared memory beside " +
               std::to_string(info.static_shared) + " static ones" +
               (function.raised ? "" : "; more than 48 KiB need cudaFuncSetAttribute"));
}

}  // namespace

unsigned dynamic_shared_limit(const Function& function, const Module::KernelInfo& info) {
    if (function.raised) return function.max_dynamic_shared;
    return info.static_shared >= function.max_dynamic_shared ? 0 : function.max_dynamic_shared - info.static_shared;
}

int registers_assumed(const Module::KernelInfo& info) {
    const int threads = info.max_threads ? int(info.max_threads) : 1024;
    return std::min(128, 65536 / threads);
}

int blocks_per_multiprocessor(const Module::KernelInfo& info, int threads, std::uint64_t shared) {
    require(threads > 0 && threads <= 1024, cudaErrorInvalidValue, std::to_string(threads) + " threads in a block");
    if (info.max_threads && threads > int(info.max_threads)) return 0;
    const DeviceLimits& l = limits();
    const int warps = (threads + 31) / 32;
    int blocks = std::min(l.threads_per_multiprocessor / (warps * 32), l.blocks_per_multiprocessor);
    blocks = std::min(blocks, 65536 / (registers_assumed(info) * warps * 32));
    const std::uint64_t used = info.static_shared + shared + 1024;
    return std::min(blocks, int(l.shared_per_multiprocessor / used));
}

void launch(Runtime& r, Stream& stream, const void* handle, dim3 grid, dim3 block, void** arguments,
            std::uint64_t shared) {
    Function& function = r.registry.function(handle);
    Device& device = r.device();
    require(stream.device == device.number, cudaErrorInvalidResourceHandle,
            function.display + ": the stream belongs to device " + std::to_string(stream.device) +
                ", the current device is " + std::to_string(device.number));
    const auto& info = kernel_info(device, function);
    check(function, info, grid, block, shared);

    auto operation = std::make_shared<Operation>();
    operation->type = cudaGraphNodeTypeKernel;
    operation->name = function.display;
    operation->what = "kernel " + function.display + " grid " + text(grid) + " block " + text(block) + " shared " +
                      std::to_string(shared);
    operation->device = device.number;
    operation->function = const_cast<void*>(function.host);
    operation->grid = grid, operation->block = block, operation->shared = unsigned(shared);

    Launch l;
    l.module = &device.modules.of(*function.binary, device.memory);
    l.kernel = function.name;
    l.grid = {grid.x, grid.y, grid.z};
    l.block = {block.x, block.y, block.z};
    l.dynamic_shared = std::uint32_t(shared);
    l.parameters.resize(info.parameter_bytes);
    for (std::size_t i = 0; i < info.parameters.size(); ++i) {
        const auto [offset, bytes] = info.parameters[i];
        std::memcpy(l.parameters.data() + offset, arguments[i], bytes);
        const auto* start = static_cast<const std::byte*>(arguments[i]);
        operation->arguments.emplace_back(start, start + bytes);
    }
    operation->run = [&r, &device, l = std::move(l)] {
        Options options;
        options.seed = environment().seed * 1'000'003 + ++r.launches;
        options.races = environment().races;
        options.uninitialised = environment().uninitialised;
        execute(l, device.memory, options, r.record.counters());
    };
    r.enqueue(stream, operation);
}

}  // namespace gpu_sim
