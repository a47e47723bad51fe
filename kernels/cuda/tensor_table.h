#pragma once
// One launch for a list of tensors, whatever their number and sizes: the kernel receives a table of pointers as its
// parameter, and each block finds its tensor and chunk in it. Nothing is copied to the device before, so a captured
// graph holds all it needs.
//
// A table is at most 16 KiB (parameters may have 32,764 bytes since CUDA 12.1); longer lists take more launches, of 256
// tensors each. A block's search is eight reads of the constant cache; its chunk is 32 KiB an f32 array.
#include "kernels/cuda/gpu.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace steepest::cuda {

constexpr int kChunkThreads = 256;
constexpr int kChunk = 8192;      // elements a block: 8 packs of f32 a thread
constexpr int kMaxTensors = 256;  // of a table

template <int kArrays>
struct TensorTable {
    struct Entry {
        void* data[kArrays];  // element i of the op's tensors; null where the op has none
        std::int64_t count;
        std::int32_t index;  // in the op's list
        float factor;        // the tensor's own, where the op has one
        // Where an array may be f32 or bf16: bit a says that array a is bf16.
        std::uint8_t bf16_arrays;
        bool aligned;  // every array, to four of its elements
    };
    Entry entries[kMaxTensors];
    // Entry e has chunks [starts[e], starts[e + 1]), numbered through the op's whole list.
    std::int32_t starts[kMaxTensors + 1];
    std::int32_t size;

    struct Chunk {
        const Entry& tensor;
        std::int64_t begin;
        int count, number;
    };
    __device__ Chunk chunk(int block) const {
        const int number = starts[0] + block;
        int low = 0, high = size;  // the last entry that starts at or before it: empty ones start where the next does
        while (high - low > 1) {
            const int middle = (low + high) / 2;
            if (starts[middle] <= number)
                low = middle;
            else
                high = middle;
        }
        const std::int64_t begin = std::int64_t{number - starts[low]} * kChunk;
        const std::int64_t rest = entries[low].count - begin;
        return {entries[low], begin, static_cast<int>(rest < kChunk ? rest : kChunk), number};
    }
};

// The largest that an op uses; other parameters need room beside it.
static_assert(sizeof(TensorTable<4>) <= 16 * 1024);

inline std::int64_t chunks_of(const Tensor& t) { return divide_up(t.count(), kChunk); }
inline std::int64_t chunks_of(const TensorList& list) {
    std::int64_t chunks = 0;
    for (const Tensor& t : list) chunks += chunks_of(t);
    return chunks;
}

// Calls go(table) for the tensors of `lists`, which match one by one (an empty list: null pointers), 256 at a time. The
// first list has all sizes. `factors`, where given, has one a tensor.
template <std::size_t kArrays, class F>
void for_each_table(const std::array<const TensorList*, kArrays>& lists, const float* factors, F&& go) {
    TensorTable<static_cast<int>(kArrays)> table;
    const auto size = static_cast<int>(lists[0]->size());
    std::int64_t chunks = 0;
    for (int first = 0; first < size; first += kMaxTensors) {
        table.size = std::min(kMaxTensors, size - first);
        for (int e = 0; e < table.size; ++e) {
            auto& entry = table.entries[e];
            entry = {.data = {},
                     .count = (*lists[0])[first + e].count(),
                     .index = first + e,
                     .factor = factors ? factors[first + e] : 1,
                     .bf16_arrays = 0,
                     .aligned = true};
            for (std::size_t a = 0; a < kArrays; ++a) {
                if (lists[a]->empty()) continue;
                const Tensor& t = (*lists[a])[first + e];
                entry.data[a] = t.data;
                if (t.dtype == DType::bf16) entry.bf16_arrays |= static_cast<std::uint8_t>(1 << a);
                entry.aligned &= reinterpret_cast<std::uintptr_t>(t.data) % (4 * size_of(t.dtype)) == 0;
            }
            table.starts[e] = static_cast<std::int32_t>(chunks);
            chunks += divide_up(entry.count, kChunk);
        }
        table.starts[table.size] = static_cast<std::int32_t>(chunks);
        go(std::as_const(table));
    }
}

template <int kArrays>
Grid chunk_grid(const TensorTable<kArrays>& table, Here at = Here::now()) {
    return {static_cast<unsigned>(table.starts[table.size] - table.starts[0]), kChunkThreads, 0, at};
}

// --- four neighbours of an f32 or bf16 array

template <int kCount>
struct Floats {
    float values[kCount];
};
__device__ inline Floats<4> load_four(const float* from) {
    const float4 raw = *reinterpret_cast<const float4*>(from);
    return {raw.x, raw.y, raw.z, raw.w};
}
__device__ inline Floats<4> load_four(const __nv_bfloat16* from) {
    const uint2 raw = *reinterpret_cast<const uint2*>(from);
    return {__uint_as_float(raw.x << 16), __uint_as_float(raw.x & 0xffff0000u), __uint_as_float(raw.y << 16),
            __uint_as_float(raw.y & 0xffff0000u)};
}
__device__ inline void store_four(float* to, const Floats<4>& x) {
    *reinterpret_cast<float4*>(to) = make_float4(x.values[0], x.values[1], x.values[2], x.values[3]);
}
__device__ inline void store_four(__nv_bfloat16* to, const Floats<4>& x) {
    const __nv_bfloat162 low = __floats2bfloat162_rn(x.values[0], x.values[1]),
                         high = __floats2bfloat162_rn(x.values[2], x.values[3]);
    *reinterpret_cast<uint2*>(to) =
        make_uint2(*reinterpret_cast<const std::uint32_t*>(&low), *reinterpret_cast<const std::uint32_t*>(&high));
}
// Elements [i, i + kCount) of an array, kCount 1 or 4 (then aligned).
template <int kCount>
__device__ inline Floats<kCount> load_floats(const void* array, bool is_bf16, std::int64_t i) {
    const auto from = [i](auto* data) {
        if constexpr (kCount == 4)
            return load_four(data + i);
        else
            return Floats<1>{to_float(data[i])};
    };
    return is_bf16 ? from(static_cast<const __nv_bfloat16*>(array)) : from(static_cast<const float*>(array));
}
template <int kCount>
__device__ inline void store_floats(void* array, bool is_bf16, std::int64_t i, const Floats<kCount>& x) {
    const auto to = [&]<class T>(T* data) {
        if constexpr (kCount == 4)
            store_four(data + i, x);
        else
            data[i] = from_float<T>(x.values[0]);
    };
    is_bf16 ? to(static_cast<__nv_bfloat16*>(array)) : to(static_cast<float*>(array));
}

// f<4>(i) for the thread's aligned fours of the chunk, f<1>(i) for its single elements.
template <class Chunk, class F>
__device__ inline void each_of_chunk(const Chunk& chunk, F&& f) {
    const int fours = chunk.tensor.aligned ? chunk.count / 4 : 0;
    for (int p = threadIdx.x; p < fours; p += kChunkThreads) f.template operator()<4>(chunk.begin + 4 * p);
    for (int i = 4 * fours + threadIdx.x; i < chunk.count; i += kChunkThreads)
        f.template operator()<1>(chunk.begin + i);
}

// Sum over a block of doubles, in an order fixed by the block's size; for thread 0.
__device__ inline double block_sum_double(double x) {
    __shared__ double partial[kWarp];
    for (int lane = kWarp / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(kAllLanes, x, lane);
    __syncthreads();
    if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = x;
    __syncthreads();
    for (unsigned w = 1; threadIdx.x == 0 && w < blockDim.x / kWarp; ++w) x += partial[w];
    return x;
}

// out[index] = sum of sums[chunks of the tensor], in an order their number decides; a block a tensor. A template only
// so that its definition can be here.
template <int kArrays>
__global__ void __launch_bounds__(kChunkThreads)
    sum_chunks(const __grid_constant__ TensorTable<kArrays> table, const double* sums, float* out) {
    const int e = blockIdx.x;
    double sum = 0;
    for (int i = table.starts[e] + threadIdx.x; i < table.starts[e + 1]; i += kChunkThreads) sum += sums[i];
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) out[table.entries[e].index] = static_cast<float>(sum);
}
inline void sum_chunks_of(Cuda& cuda, const TensorList& list, const double* sums, float* out) {
    for_each_table(std::array{&list}, nullptr, [&](const TensorTable<1>& table) {
        launch(cuda, {static_cast<unsigned>(table.size), kChunkThreads}, sum_chunks<1>, table, sums, out);
    });
}

}  // namespace steepest::cuda
