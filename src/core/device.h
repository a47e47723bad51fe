#pragma once
// Device: which backend runs the ops, chosen at run time. Backends are incomplete here; only main and tests construct
// one.
#include "core/backends.h"

#include <cstddef>
#include <cstdint>

namespace steepest {

// What core needs of a backend, one overload a backend, defined beside its kernels.
//   allocate: uninitialised bytes, aligned to 64; throws DeviceError when there are none.
//   copy_*:   after every op that was run before; return when the bytes are there.
//   fill_zero: after every op that was run before, and before every op that is run from now on.
//   synchronize: returns when every op that was run before is done; throws DeviceError if one failed.
//   free_bytes: what allocate() could give at most; no more than a bound where the system promises more than it has.
std::int64_t free_bytes(Cpu&);
std::int64_t free_bytes(Cuda&);
void* allocate(Cpu&, std::int64_t bytes);
void* allocate(Cuda&, std::int64_t bytes);
void release(Cpu&, void* data, std::int64_t bytes);
void release(Cuda&, void* data, std::int64_t bytes);
void copy_to_device(Cpu&, void* device, const void* host, std::int64_t bytes);
void copy_to_device(Cuda&, void* device, const void* host, std::int64_t bytes);
void copy_to_host(Cpu&, void* host, const void* device, std::int64_t bytes);
void copy_to_host(Cuda&, void* host, const void* device, std::int64_t bytes);
void fill_zero(Cpu&, void* device, std::int64_t bytes);
void fill_zero(Cuda&, void* device, std::int64_t bytes);
void synchronize(Cpu&);
void synchronize(Cuda&);

inline std::int64_t free_bytes(Device d) {
    return std::visit([](auto* b) { return free_bytes(*b); }, d);
}
inline void copy_to_device(Device d, void* device, const void* host, std::int64_t bytes) {
    std::visit([&](auto* b) { copy_to_device(*b, device, host, bytes); }, d);
}
inline void copy_to_host(Device d, void* host, const void* device, std::int64_t bytes) {
    std::visit([&](auto* b) { copy_to_host(*b, host, device, bytes); }, d);
}
inline void fill_zero(Device d, void* device, std::int64_t bytes) {
    std::visit([&](auto* b) { fill_zero(*b, device, bytes); }, d);
}
inline void synchronize(Device d) {
    std::visit([](auto* b) { synchronize(*b); }, d);
}

}  // namespace steepest
