#pragma once
// Neighbours of a row that one lane handles together: 16 bytes of T or a multiple, or a single element where rows are
// not aligned to 16 bytes; so that a kernel is written once for both. Kept as they lie in memory, so two bf16 share a
// register until they are used.
#include "kernels/cuda/gpu.h"

#include <cstdint>

namespace steepest::cuda {

template <class T, int kWidth>
struct Group {
    static_assert(kWidth * sizeof(T) % 16 == 0);
    static constexpr int kWords = kWidth * sizeof(T) / 4;
    std::uint32_t words[kWords];

    __device__ float operator[](int i) const {
        if constexpr (sizeof(T) == 4)
            return __uint_as_float(words[i]);
        else
            return __uint_as_float(i % 2 ? words[i / 2] & 0xffff0000u : words[i / 2] << 16);
    }
    __device__ static Group load(const T* from) {
        Group group;
#pragma unroll
        for (int i = 0; i < kWords / 4; ++i) {
            const uint4 raw = reinterpret_cast<const uint4*>(from)[i];
            group.words[4 * i] = raw.x, group.words[4 * i + 1] = raw.y;
            group.words[4 * i + 2] = raw.z, group.words[4 * i + 3] = raw.w;
        }
        return group;
    }
    __device__ static Group round(const float (&x)[kWidth]) {
        Group group;
#pragma unroll
        for (int i = 0; i < kWords; ++i) {
            if constexpr (sizeof(T) == 4) {
                group.words[i] = __float_as_uint(x[i]);
            } else {
                const __nv_bfloat162 pair = __floats2bfloat162_rn(x[2 * i], x[2 * i + 1]);
                group.words[i] = *reinterpret_cast<const std::uint32_t*>(&pair);
            }
        }
        return group;
    }
    __device__ void store(T* to) const {
#pragma unroll
        for (int i = 0; i < kWords / 4; ++i)
            reinterpret_cast<uint4*>(to)[i] =
                make_uint4(words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]);
    }
};

template <class T>
struct Group<T, 1> {
    T value;

    __device__ float operator[](int) const { return to_float(value); }
    __device__ static Group load(const T* from) { return {*from}; }
    __device__ static Group round(const float (&x)[1]) { return {from_float<T>(x[0])}; }
    __device__ void store(T* to) const { *to = value; }
};

// Whether rows of `cols` elements of T may be read in groups of 16 bytes of T, and f32 rows beside them in as many
// elements. Pointers that are null do not matter.
template <class T, class... Pointers>
bool in_packs(std::int64_t cols, Pointers... pointers) {
    return cols % Pack<T>::kCount == 0 && (aligned16(pointers) && ...);
}

}  // namespace steepest::cuda
