// cudaMalloc and its kin, copies, memsets, what a pointer is.
#include "tests/gpu_sim/runtime/capture.h"
#include "tests/gpu_sim/runtime/copies.h"

using namespace gpu_sim;

namespace {

void allocate(Runtime& r, void** pointer, std::uint64_t bytes, bool managed = false) {
    require(pointer != nullptr, cudaErrorInvalidValue, "nowhere to put the address");
    *pointer = nullptr;
    if (bytes == 0) return;
    DeviceMemory& memory = r.device().memory;
    const std::uint64_t address = managed ? memory.allocate_managed(bytes) : memory.allocate(bytes);
    require(address != 0, cudaErrorMemoryAllocation,
            std::to_string(bytes) + " bytes, of " + std::to_string(memory.capacity() - memory.used()) + " free");
    *pointer = reinterpret_cast<void*>(address);
}

void allocate_host(Runtime& r, void** pointer, std::uint64_t bytes, unsigned flags) {
    require(pointer != nullptr, cudaErrorInvalidValue, "nowhere to put the address");
    require_unsafe_calls_allowed(r);
    *pointer = nullptr;
    if (bytes == 0) return;
    *pointer = r.host.allocate(bytes, flags, r.device().number);
    require(*pointer != nullptr, cudaErrorMemoryAllocation, std::to_string(bytes) + " bytes of host memory");
}

void copy_legacy(Runtime& r, const Copy& c) { copy(r, r.stream(nullptr), c, true); }

Copy plain(void* to, const void* from, std::uint64_t bytes, cudaMemcpyKind kind) {
    return {to, bytes, from, bytes, bytes, 1, kind};
}

void* symbol_range(Runtime& r, const void* symbol, std::uint64_t offset, std::uint64_t bytes) {
    const Variable& variable = r.registry.variable(symbol);
    require(offset + bytes <= variable.bytes, cudaErrorInvalidValue,
            variable.name + " has " + std::to_string(variable.bytes) + " bytes; bytes " + std::to_string(offset) +
                " to " + std::to_string(offset + bytes) + " were asked for");
    return reinterpret_cast<void*>(address_of(r.device(), variable) + offset);
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
    return call(__func__, [&](Runtime& r) {
        require_unsafe_calls_allowed(r);
        allocate(r, pointer, bytes);
    });
}

cudaError_t cudaFree(void* pointer) {
    return call(__func__, [&](Runtime& r) {
        r.device();  // cudaFree(nullptr) is the customary way to set a device up
        if (!pointer) return;
        require_unsafe_calls_allowed(r);
        const Place place = place_of(r, pointer);
        for (const auto& device : r.devices)
            if (device && (place.side != Place::Side::Device || device->number == place.device))
                r.scheduler.run_all(device->number);
        require(place.side == Place::Side::Device || r.host.remove(pointer, HostMemory::Kind::Managed),
                cudaErrorInvalidValue, hex(pointer) + " was not allocated by cudaMalloc or cudaMallocManaged");
        r.devices[place.device]->memory.free(reinterpret_cast<std::uint64_t>(pointer));
    });
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        require_not_capturing(r.stream(handle), "an allocation");
        allocate(r, pointer, bytes);
    });
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        Stream& stream = r.stream(handle);
        require_not_capturing(stream, "a deallocation");
        if (!pointer) return;
        const Place place = place_of(r, pointer);
        require(place.side == Place::Side::Device && place.begin == reinterpret_cast<std::uint64_t>(pointer),
                cudaErrorInvalidValue, hex(pointer) + " is not the start of a device allocation");
        DeviceMemory& memory = r.devices[place.device]->memory;
        r.scheduler.submit(stream, [&r, &memory, pointer] {
            try {
                memory.free(reinterpret_cast<std::uint64_t>(pointer));
            } catch (const Fault& fault) {
                r.fail(cudaErrorIllegalAddress, fault.what());
            }
            return true;
        });
    });
}

cudaError_t cudaMallocManaged(void** pointer, size_t bytes, unsigned flags) {
    return call(__func__, [&](Runtime& r) {
        require_unsafe_calls_allowed(r);
        allocate(r, pointer, bytes, true);
        if (*pointer) r.host.add(*pointer, bytes, HostMemory::Kind::Managed, flags, r.device().number);
    });
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
    return call(__func__, [&](Runtime& r) { allocate_host(r, pointer, bytes, 0); });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned flags) {
    return call(__func__, [&](Runtime& r) { allocate_host(r, pointer, bytes, flags); });
}

cudaError_t cudaFreeHost(void* pointer) {
    return call(__func__, [&](Runtime& r) {
        if (!pointer) return;
        require_unsafe_calls_allowed(r);
        require(r.host.remove(pointer, HostMemory::Kind::Pinned), cudaErrorInvalidValue,
                hex(pointer) + " was not allocated by cudaMallocHost or cudaHostAlloc");
    });
}

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned flags) {
    return call(__func__, [&](Runtime& r) {
        require(pointer && bytes > 0, cudaErrorInvalidValue, "nothing to register");
        require(!r.host.find(pointer), cudaErrorHostMemoryAlreadyRegistered, hex(pointer) + " is pinned already");
        r.host.add(pointer, bytes, HostMemory::Kind::Registered, flags, r.device().number);
    });
}

cudaError_t cudaHostUnregister(void* pointer) {
    return call(__func__, [&](Runtime& r) {
        require(r.host.remove(pointer, HostMemory::Kind::Registered), cudaErrorHostMemoryNotRegistered,
                hex(pointer) + " is not the start of registered memory");
    });
}

cudaError_t cudaHostGetDevicePointer(void** device_pointer, void* host, unsigned) {
    return call(__func__, [&](Runtime& r) {
        require(r.host.find(host), cudaErrorInvalidValue, hex(host) + " is not pinned memory");
        *device_pointer = host;
    });
}

cudaError_t cudaHostGetFlags(unsigned* flags, void* host) {
    return call(__func__, [&](Runtime& r) {
        const auto* block = r.host.find(host);
        require(block, cudaErrorInvalidValue, hex(host) + " is not pinned memory");
        *flags = block->flags;
    });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    return call(__func__, [&](Runtime& r) {
        const DeviceMemory& memory = r.device().memory;
        *total = memory.capacity();
        *free = memory.capacity() - memory.used();
    });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    return call(__func__, [&](Runtime& r) { copy_legacy(r, plain(to, from, bytes, kind)); });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) { copy(r, r.stream(handle), plain(to, from, bytes, kind), false); });
}

cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t bytes) {
    return call(__func__, [&](Runtime& r) { copy_legacy(r, plain(to, from, bytes, cudaMemcpyDeviceToDevice)); });
}

cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t bytes, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        copy(r, r.stream(handle), plain(to, from, bytes, cudaMemcpyDeviceToDevice), false);
    });
}

cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                         cudaMemcpyKind kind) {
    return call(__func__, [&](Runtime& r) { copy_legacy(r, {to, to_pitch, from, from_pitch, width, height, kind}); });
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        copy(r, r.stream(handle), {to, to_pitch, from, from_pitch, width, height, kind}, false);
    });
}

cudaError_t cudaMemset(void* to, int value, size_t bytes) {
    return call(__func__, [&](Runtime& r) { fill(r, r.stream(nullptr), to, bytes, value, bytes, 1); });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) { fill(r, r.stream(handle), to, bytes, value, bytes, 1); });
}

cudaError_t cudaMemset2D(void* to, size_t pitch, int value, size_t width, size_t height) {
    return call(__func__, [&](Runtime& r) { fill(r, r.stream(nullptr), to, pitch, value, width, height); });
}

cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) { fill(r, r.stream(handle), to, pitch, value, width, height); });
}

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, cudaMemcpyKind kind) {
    return call(__func__,
                [&](Runtime& r) { copy_legacy(r, plain(symbol_range(r, symbol, offset, bytes), from, bytes, kind)); });
}

cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, size_t bytes, size_t offset, cudaMemcpyKind kind) {
    return call(__func__,
                [&](Runtime& r) { copy_legacy(r, plain(to, symbol_range(r, symbol, offset, bytes), bytes, kind)); });
}

cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, size_t bytes, size_t offset,
                                    cudaMemcpyKind kind, cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        copy(r, r.stream(handle), plain(symbol_range(r, symbol, offset, bytes), from, bytes, kind), false);
    });
}

cudaError_t cudaMemcpyFromSymbolAsync(void* to, const void* symbol, size_t bytes, size_t offset, cudaMemcpyKind kind,
                                      cudaStream_t handle) {
    return call(__func__, [&](Runtime& r) {
        copy(r, r.stream(handle), plain(to, symbol_range(r, symbol, offset, bytes), bytes, kind), false);
    });
}

cudaError_t cudaGetSymbolAddress(void** pointer, const void* symbol) {
    return call(__func__, [&](Runtime& r) { *pointer = symbol_range(r, symbol, 0, 0); });
}

cudaError_t cudaGetSymbolSize(size_t* bytes, const void* symbol) {
    return call(__func__, [&](Runtime& r) { *bytes = r.registry.variable(symbol).bytes; });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    return call(__func__, [&](Runtime& r) {
        const Place place = place_of(r, pointer);
        *attributes = {};
        attributes->device = place.side == Place::Side::Pageable ? -2 : place.device;
        attributes->type = place.side == Place::Side::Device    ? cudaMemoryTypeDevice
                           : place.side == Place::Side::Pinned  ? cudaMemoryTypeHost
                           : place.side == Place::Side::Managed ? cudaMemoryTypeManaged
                                                                : cudaMemoryTypeUnregistered;
        if (place.side != Place::Side::Pageable) attributes->devicePointer = const_cast<void*>(pointer);
        if (place.on_host()) attributes->hostPointer = const_cast<void*>(pointer);
    });
}

}  // extern "C"
