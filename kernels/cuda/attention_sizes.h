#pragma once
// What the attention kernels agree on: sizes, which block does which tile, and the kernels for shapes that tensor cores
// do not take.
#include "kernels/cuda/gpu.h"
#include "ops/attention.h"

#include <algorithm>
#include <cmath>

namespace steepest::cuda {

constexpr float kLog2E = 1.44269504088896340736f, kLn2 = 0.69314718055994530942f;

struct AttentionSizes {
    std::int64_t C;
    int T, D, heads;
    unsigned all_heads;  // heads of all sequences
    int padded_T;        // rows a head of the statistics below has
    float scale, scale_log2;

    AttentionSizes(const Shape& out, int heads_)
        : C(out[2]),
          T(static_cast<int>(out[1])),
          D(static_cast<int>(C / heads_)),
          heads(heads_),
          all_heads(static_cast<unsigned>(out[0] * heads_)),
          padded_T(static_cast<int>(divide_up(T, 128) * 128)),
          scale(1 / std::sqrt(static_cast<float>(D))),
          scale_log2(static_cast<float>(1.44269504088896340736 / std::sqrt(static_cast<double>(D)))) {}

    // First element of a head in qkv (its q; k and v are C and 2 C further) and in out; rows are 3 C and C apart.
    __device__ std::int64_t qkv(unsigned head) const {
        return std::int64_t{head / heads} * T * 3 * C + std::int64_t{head % heads} * D;
    }
    __device__ std::int64_t out(unsigned head) const {
        return std::int64_t{head / heads} * T * C + std::int64_t{head % heads} * D;
    }
    __device__ std::int64_t row(unsigned head, int t) const { return std::int64_t{head} * T + t; }
};

// What the backward pass needs of a query row: lse in units of log 2, and dout . out.
struct alignas(8) RowStatistics {
    float lse, delta;
};

// One block does one tile of one head. Within 64 heads, whose keys and values fit into L2 together up to T of a few
// thousand, `rank` counts the tiles of all heads from the longest to the shortest, so that the tail of the launch is
// made of short ones.
struct AttentionTask {
    unsigned head;
    int rank;
};
__device__ inline AttentionTask attention_task(const AttentionSizes& z, unsigned block, unsigned tiles) {
    constexpr unsigned kTogether = 64;
    const unsigned first = block / (kTogether * tiles) * kTogether, within = block % (kTogether * tiles);
    const unsigned heads = min(kTogether, z.all_heads - first);
    return {first + within % heads, static_cast<int>(within / heads)};
}

// Tensor cores take bf16 heads of up to 128 columns whose rows are aligned to 16 bytes.
inline bool fits_tensor_cores(const AttentionSizes& z, DType dtype, std::initializer_list<const void*> tensors) {
    return dtype == DType::bf16 && z.D % 8 == 0 && z.D <= 128 && z.C % 8 == 0 &&
           std::all_of(tensors.begin(), tensors.end(), aligned16);
}

// Either dtype, any D.
void run_any(Cuda& cuda, const AttentionForward& op);
void run_any(Cuda& cuda, const AttentionBackward& op, const RowStatistics* statistics);

}  // namespace steepest::cuda
