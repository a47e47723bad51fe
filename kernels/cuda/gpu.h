#pragma once
// What the kernels share: launches, reductions over a warp and a block, 16-byte packs, and the device's names of our
// element types.
#include "core/tensor.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda.h"

#include <cstdint>
#include <cuda_bf16.h>

namespace steepest::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// --- element types

template <class T>
struct DeviceType {
    using type = T;
};
template <>
struct DeviceType<bf16> {
    using type = __nv_bfloat16;
};
// Calls f.template operator()<T>() with float or __nv_bfloat16.
template <class F>
decltype(auto) dispatch(DType t, F&& f) {
    return dispatch_float(t, [&]<class T>() { return f.template operator()<typename DeviceType<T>::type>(); });
}
template <class T>
T* data(const Tensor& t) {
    return static_cast<T*>(t.data);
}
template <class T>
const T* data(const ConstTensor& t) {
    return static_cast<const T*>(t.data);
}

template <class T>
__device__ inline T from_float(float x) {
    if constexpr (sizeof(T) == 2)
        return __float2bfloat16_rn(x);
    else
        return x;
}
__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

// --- 16 bytes at a time

// What one lane loads or stores in one access.
template <class T>
struct alignas(16) Pack {
    static constexpr int kCount = 16 / sizeof(T);
    T values[kCount];
    __device__ T& operator[](int i) { return values[i]; }
    __device__ const T& operator[](int i) const { return values[i]; }
};
// `from` and `to` must be aligned to 16 bytes.
template <class T>
__device__ inline Pack<T> load_pack(const T* from) {
    union {
        uint4 raw;
        Pack<T> pack;
    } bits = {*reinterpret_cast<const uint4*>(from)};
    return bits.pack;
}
// For what is read once: it need not stay in the caches.
template <class T>
__device__ inline Pack<T> load_pack_streaming(const T* from) {
    union {
        uint4 raw;
        Pack<T> pack;
    } bits = {__ldcs(reinterpret_cast<const uint4*>(from))};
    return bits.pack;
}
template <class T>
__device__ inline void store_pack(T* to, const Pack<T>& pack) {
    union {
        Pack<T> pack;
        uint4 raw;
    } bits = {pack};
    *reinterpret_cast<uint4*>(to) = bits.raw;
}
template <class T>
__device__ inline void store_pack_streaming(T* to, const Pack<T>& pack) {
    union {
        Pack<T> pack;
        uint4 raw;
    } bits = {pack};
    __stcs(reinterpret_cast<uint4*>(to), bits.raw);
}
inline bool aligned16(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

// --- reductions, in an order that the shape alone decides

// Sum over the 32 lanes of a warp; every lane receives it.
__device__ inline float warp_sum(float x) {
    for (int lane = kWarp / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(kAllLanes, x, lane);
    return x;
}
__device__ inline float warp_max(float x) {
    for (int lane = kWarp / 2; lane > 0; lane /= 2) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, lane));
    return x;
}
// Sum over a block of up to 1024 threads, a whole number of warps; every thread receives it. Safe to call again at
// once: the first barrier keeps a fast warp from overwriting `partial` while a slow one still reads the last call's.
__device__ inline float block_sum(float x) {
    __shared__ float partial[kWarp];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
    x = warp_sum(x);
    __syncthreads();
    if (lane == 0) partial[warp] = x;
    __syncthreads();
    return warp_sum(lane < warps ? partial[lane] : 0.0f);
}

// --- launches

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct Grid {
    dim3 blocks, threads;
    std::size_t shared_bytes = 0;
    Here at = Here::now();
};

[[noreturn]] void fail_launch(cudaError_t error, const void* kernel, const Grid& grid);
// A kernel may use more than 48 KiB of dynamic shared memory only where this was said of it; cheap to say again.
void allow_shared_bytes(const void* kernel, std::size_t bytes);

// Enqueues the kernel on the compute stream; nothing if the grid is empty. A bad launch throws here, with the caller's
// line; a fault inside the kernel surfaces at the next synchronisation, as always in CUDA.
template <class... Params, class... Args>
void launch(Cuda& cuda, const Grid& grid, void (*kernel)(Params...), Args... args) {
    if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
    if (grid.shared_bytes > 48 * 1024) allow_shared_bytes(reinterpret_cast<const void*>(kernel), grid.shared_bytes);
    kernel<<<grid.blocks, grid.threads, grid.shared_bytes, cuda.compute()>>>(static_cast<Params>(args)...);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) [[unlikely]]
        fail_launch(error, reinterpret_cast<const void*>(kernel), grid);
}

}  // namespace steepest::cuda
