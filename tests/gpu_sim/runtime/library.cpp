#include "tests/gpu_sim/runtime/library.h"

#include "tests/gpu_sim/runtime/runtime.h"

namespace gpu_sim {

cudaError_t enqueue_library_task(cudaStream_t handle, LibraryTask task) {
    return call(__func__, [&](Runtime& r) {
        Stream& stream = r.stream(handle);
        Device& device = r.device(stream.device);
        auto operation = std::make_shared<Operation>();
        operation->type = cudaGraphNodeTypeKernel;  // what such a library would launch
        operation->what = operation->name = task.what;
        operation->flops = task.flops, operation->bytes = task.bytes;
        operation->device = stream.device;
        operation->run = [&device, task] { task.run(device.memory); };
        r.enqueue(stream, operation);
    });
}

std::uint64_t device_bytes_at(const void* pointer) {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    const auto address = reinterpret_cast<std::uint64_t>(pointer);
    // Asked of every device: each knows its own memory and that of the host which CUDA knows.
    for (const auto& device : r.devices) {
        if (!device) continue;
        try {
            const auto range = device->memory.allocation_of(address);
            return range.begin + range.bytes - address;
        } catch (const Fault&) {
            continue;
        }
    }
    return 0;
}

bool checks_uninitialised() { return environment().uninitialised; }

void library_report(const std::string& text) { report(text); }

}  // namespace gpu_sim
