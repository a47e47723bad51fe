// Memory and threads of the CPU backend.
#include "kernels/cpu/cpu.h"

#include "core/device.h"
#include "core/error.h"
#include "core/library_choices.h"
#include "kernels/cpu/gemm_engine.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <sys/mman.h>

namespace steepest {

Cpu::Cpu(int threads, Engine engine) : threads_(threads > 0 ? threads : omp_get_num_procs()), engine_(engine) {
    if (!available(engine))
        throw InputError("matmul engine " + std::string(cpu::name_of(engine)) + " is not available here");
    // Libraries that look at OpenMP's settings must not start threads of their own: we cut the work (see cpu.h).
    // Regions here name their size, so this only binds others.
    omp_set_num_threads(1);
}

std::string Cpu::describe() const {
    return std::to_string(threads_) + (threads_ == 1 ? " thread" : " threads") +
           "; matmul f32: " + cpu::describe(engine_, DType::f32) + ", bf16: " + cpu::describe(engine_, DType::bf16);
}

namespace {

constexpr std::int64_t kHugePage = std::int64_t{2} << 20;

std::int64_t mapped_bytes(std::int64_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

}  // namespace

// What the kernel believes it can hand out without swapping; memory is touched at once, so more would end in a kill.
std::int64_t free_bytes(Cpu&) {
    std::ifstream file("/proc/meminfo");
    for (std::string key, unit; file >> key;) {
        std::int64_t kibibytes = 0;
        if (!(file >> kibibytes)) break;
        if (key == "MemAvailable:") return kibibytes << 10;
        std::getline(file, unit);
    }
    return std::numeric_limits<std::int64_t>::max();
}

// Huge pages, touched now: the first touch of a 4 KiB page was measured at 10.8 us, 45 times the cost through huge
// pages, and must not fall into a step.
void* allocate(Cpu& cpu, std::int64_t bytes) {
    const std::int64_t size = mapped_bytes(bytes);
    // One huge page more than needed, so that the block can start on a boundary; the rest is returned.
    void* raw =
        mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        throw DeviceError("cannot allocate " + std::to_string(bytes >> 20) + " MiB of memory: " + std::strerror(errno));
    const auto address = reinterpret_cast<std::uintptr_t>(raw);
    const std::int64_t before = static_cast<std::int64_t>(-address & (kHugePage - 1));
    auto* data = static_cast<std::byte*>(raw) + before;
    if (before > 0) munmap(raw, before);
    if (kHugePage - before > 0) munmap(data + size, kHugePage - before);
    madvise(data, size, MADV_HUGEPAGE);
    cpu.parallel_for(size / kHugePage, [&](std::int64_t i) {
        for (std::int64_t at = 0; at < kHugePage; at += 4096) data[i * kHugePage + at] = std::byte{0};
    });
    return data;
}

void release(Cpu&, void* data, std::int64_t bytes) { munmap(data, mapped_bytes(bytes)); }

void copy_to_device(Cpu&, void* device, const void* host, std::int64_t bytes) { std::memcpy(device, host, bytes); }
void copy_to_host(Cpu&, void* host, const void* device, std::int64_t bytes) { std::memcpy(host, device, bytes); }
void fill_zero(Cpu&, void* device, std::int64_t bytes) { std::memset(device, 0, bytes); }

void synchronize(Cpu&) {}

OpHooks& hooks(Cpu& cpu) { return cpu.hooks; }

// What multiplies matrices follows from the build and the processor, and describe() says it.
Json library_choices(Cpu&) { return Json::object(); }
std::string restore_library_choices(Cpu&, const Json& choices) {
    return choices.empty() ? "" : "they were made on a GPU, and this is the CPU backend";
}

bool all_finite(Cpu& cpu, const ConstTensor& tensor) {
    constexpr std::int64_t kChunk = 1 << 16;
    std::atomic<bool> finite = true;
    dispatch_float(tensor.dtype, [&]<class T>() {
        const T* x = tensor.as<T>();
        cpu.parallel_for((tensor.count() + kChunk - 1) / kChunk, [&](std::int64_t chunk) {
            const std::int64_t end = std::min(tensor.count(), (chunk + 1) * kChunk);
            for (std::int64_t i = chunk * kChunk; i < end; ++i)
                if (!std::isfinite(float(x[i]))) finite = false;
        });
    });
    return finite;
}

}  // namespace steepest
