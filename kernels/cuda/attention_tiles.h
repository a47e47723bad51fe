#pragma once
// Tiles of bf16 in shared memory and products of them by tensor cores, for attention.
//
// A tile's rows are kD elements, in chunks of 16 bytes; chunk c of row r lies where chunk c ^ (r % 8) would, so that
// the eight rows of an 8 x 8 matrix, which ldmatrix reads at once, fall into different banks. Rows of 64 bytes (kD =
// 32) take turns by pairs. A warp owns 16 kM rows of a result, so that each fragment from shared memory serves kM
// products: at kM = 1 ldmatrix and mma take equal time on sm_80, at kM = 2 mma takes twice as long.
#include "kernels/cuda/attention_sizes.h"
#include "kernels/cuda/mma.h"

namespace steepest::cuda {

constexpr int kAttentionWarps = 4, kAttentionThreads = kAttentionWarps * kWarp;
constexpr int kChunk = 8;  // bf16 in 16 bytes

template <int kD>
__device__ inline int tile_offset(int row, int chunk) {
    static_assert(kD == 32 || kD % 64 == 0);
    const int swizzled = kD == 32 ? chunk ^ (row / 2 % 4) : chunk ^ (row % 8);
    return row * kD + swizzled * kChunk;
}

// Begins to copy rows [first, first + kRows) of a matrix of z.T rows, z.D columns; zeros where it has none.
template <int kD, int kRows>
__device__ inline void load_tile(__nv_bfloat16* tile, const __nv_bfloat16* from, std::int64_t stride, int first,
                                 const AttentionSizes& z) {
    constexpr int kChunks = kD / kChunk, kStep = kAttentionThreads / kChunks;
    static_assert(kRows % kStep == 0 && kStep % 8 == 0);  // a thread's chunk and swizzle are the same in all its rows
    const int row = threadIdx.x / kChunks, chunk = threadIdx.x % kChunks;
    const bool inside = chunk * kChunk < z.D;
    const __nv_bfloat16* source = from + (first + row) * stride + chunk * kChunk;
    tile += tile_offset<kD>(row, chunk);
#pragma unroll
    for (int i = 0; i < kRows / kStep; ++i, source += kStep * stride) {
        const bool valid = inside && first + row + i * kStep < z.T;
        copy_async(tile + i * kStep * kD, valid ? source : from, valid);
    }
}

template <int kM>
struct LeftFragments {
    std::uint32_t rows[kM][4];
};
// Columns [16 k, 16 k + 16) of the 16 kM rows from `row`.
template <int kD, int kM>
__device__ inline LeftFragments<kM> left_fragments(const __nv_bfloat16* tile, int row, int k) {
    const int lane = threadIdx.x % kWarp;
    LeftFragments<kM> left;
#pragma unroll
    for (int m = 0; m < kM; ++m)
        load_matrices(left.rows[m], tile + tile_offset<kD>(row + 16 * m + lane % 16, 2 * k + lane / 16));
    return left;
}

// c[i, j] += sum_d left[i, d] right[j, d];  left(k) gives the fragments of columns 16 k and following.
template <int kD, int kM, int kN, class Left>
__device__ inline void multiply_by_rows(float (&c)[kM][kN][4], Left&& left, const __nv_bfloat16* right) {
    const int lane = threadIdx.x % kWarp;
#pragma unroll(kD > 64 ? 4 : kD / 16)  // whole, at D = 128, does not fit the registers of every architecture
    for (int k = 0; k < kD / 16; ++k) {
        const LeftFragments<kM> a = left(k);
#pragma unroll
        for (int n = 0; n < kN / 2; ++n) {
            std::uint32_t b[4];
            load_matrices(b, right + tile_offset<kD>(16 * n + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
#pragma unroll
            for (int m = 0; m < kM; ++m) {
                mma_bf16(c[m][2 * n], a.rows[m], b[0], b[1]);
                mma_bf16(c[m][2 * n + 1], a.rows[m], b[2], b[3]);
            }
        }
    }
}

// c[i, d] += sum_j left[i, j] right[j, d];  left, rounded to bf16, is what multiply_by_rows left in registers.
template <int kD, int kM, int kN>
__device__ inline void multiply(float (&c)[kM][kD / 8][4], const float (&left)[kM][kN][4], const __nv_bfloat16* right) {
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int k = 0; k < kN / 2; ++k) {
        std::uint32_t a[kM][4];
#pragma unroll
        for (int m = 0; m < kM; ++m)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float* pair = &left[m][2 * k + i / 2][i % 2 * 2];
                a[m][i] = pack_bf16(pair[0], pair[1]);
            }
#pragma unroll
        for (int n = 0; n < kD / 16; ++n) {
            std::uint32_t b[4];
            load_matrices_transposed(b, right + tile_offset<kD>(16 * k + lane % 16, 2 * n + lane / 16));
#pragma unroll
            for (int m = 0; m < kM; ++m) {
                mma_bf16(c[m][2 * n], a[m], b[0], b[1]);
                mma_bf16(c[m][2 * n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

template <int kM, int kN>
__device__ inline void clear(float (&c)[kM][kN][4]) {
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
        for (int n = 0; n < kN; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) c[m][n][i] = 0;
}

// Writes a warp's 16 kM rows, the first of which is row `row` of its block's tile and row `t` of the head, in whole
// chunks: through those rows of `tile`, which no other warp may use any more.
template <int kD, int kM>
__device__ inline void store_rows(__nv_bfloat16* to, std::int64_t stride, __nv_bfloat16* tile, int row, int t,
                                  const float (&c)[kM][kD / 8][4], float factor, const AttentionSizes& z) {
    const int lane = threadIdx.x % kWarp;
    __syncwarp();
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
        for (int n = 0; n < kD / 8; ++n)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int at = tile_offset<kD>(row + 16 * m + 8 * half + lane / 4, n) + lane % 4 * 2;
                *reinterpret_cast<std::uint32_t*>(tile + at) =
                    pack_bf16(factor * c[m][n][2 * half], factor * c[m][n][2 * half + 1]);
            }
    __syncwarp();
    constexpr int kChunks = kD / kChunk;
#pragma unroll
    for (int i = 0; i < 16 * kM * kChunks / kWarp; ++i) {
        const int at = i * kWarp + lane, r = at / kChunks, chunk = at % kChunks;
        if (t + r < z.T && chunk * kChunk < z.D)
            *reinterpret_cast<uint4*>(to + (t + r) * stride + chunk * kChunk) =
                *reinterpret_cast<const uint4*>(tile + tile_offset<kD>(row + r, chunk));
    }
}

// Two units in the last place; results below 2^-126 are zero.
__device__ inline float fast_exp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Sum and maximum over the four lanes that hold a row of a fragment.
__device__ inline float quad_sum(float x) {
    x += __shfl_xor_sync(kAllLanes, x, 1);
    return x + __shfl_xor_sync(kAllLanes, x, 2);
}
__device__ inline float quad_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, 1));
    return fmaxf(x, __shfl_xor_sync(kAllLanes, x, 2));
}

}  // namespace steepest::cuda
