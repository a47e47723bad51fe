// Devices, versions, the last error.
#include "tests/gpu_sim/runtime/capture.h"
#include "tests/gpu_sim/runtime/device_limits.h"
#include "tests/gpu_sim/runtime/runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

using namespace gpu_sim;

namespace {

void check_number(const Runtime& r, int device) {
    require(device >= 0 && device < int(r.devices.size()), cudaErrorInvalidDevice,
            "device " + std::to_string(device) + " of " + std::to_string(r.devices.size()));
}

}  // namespace

extern "C" {

cudaError_t cudaGetLastError() {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    const cudaError_t error = std::exchange(this_thread().last, cudaSuccess);
    return r.sticky ? r.sticky : error;
}

cudaError_t cudaPeekAtLastError() {
    Runtime& r = runtime();
    const std::lock_guard lock(r.mutex);
    return r.sticky ? r.sticky : this_thread().last;
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = environment().devices;
    return call(__func__, [](Runtime&) {});
}

cudaError_t cudaGetDevice(int* device) {
    return call(__func__, [&](Runtime&) { *device = this_thread().device; });
}

cudaError_t cudaSetDevice(int device) {
    return call(__func__, [&](Runtime& r) {
        r.device(device);
        this_thread().device = device;
    });
}

cudaError_t cudaInitDevice(int device, unsigned, unsigned) {
    return call(__func__, [&](Runtime& r) { r.device(device); });
}

cudaError_t cudaSetDeviceFlags(unsigned) {
    return call(__func__, [](Runtime&) {});
}
cudaError_t cudaGetDeviceFlags(unsigned* flags) {
    return call(__func__, [&](Runtime&) { *flags = cudaDeviceScheduleAuto; });
}

cudaError_t cudaDeviceReset() {
    return call(__func__, [](Runtime& r) {
        const int number = r.device().number;
        r.scheduler.run_all(number);
    });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
    return call(__func__, [&](Runtime& r) {
        check_number(r, device);
        *p = properties(device);
    });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
    return call(__func__, [&](Runtime& r) {
        check_number(r, device);
        *value = attribute(which, device);
    });
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
    return call(__func__, [&](Runtime& r) {
        check_number(r, device);
        require(length >= 13, cudaErrorInvalidValue, "the name of a bus has 13 characters");
        std::snprintf(text, std::size_t(length), "0000:%02x:00.0", device + 1);
    });
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    return call(__func__, [&](Runtime&) {
        if (least) *least = 0;
        if (greatest) *greatest = -5;
    });
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
    return call(__func__, [&](Runtime&) { *can = 0; });
}

cudaError_t cudaDeviceSetLimit(cudaLimit, size_t) {
    return call(__func__, [](Runtime&) {});
}
cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) {
    return call(__func__, [](Runtime&) {});
}

// 13.0, the version whose headers and registration calls the stand-in follows.
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaProfilerStart() {
    return call(__func__, [](Runtime&) {});
}
cudaError_t cudaProfilerStop() {
    return call(__func__, [](Runtime&) {});
}

}  // extern "C"
