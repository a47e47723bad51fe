// Attention backward on tensor cores.
//
// Two launches: delta = dout . out a row, with lse in the unit of exp2; then blocks of two kinds, for dk and dv a tile
// of keys that walks the queries from its diagonal on, for dq a tile of queries that walks the keys up to its diagonal
// (Dao 2023, arXiv:2307.08691, algorithm 2, cut in two). Each sum is made by one warp in one order: no atomics. The
// price is that scores and dp are computed twice, 7 products instead of 5. The kinds share a launch, so that blocks of
// the second fill the multiprocessors that the first leaves idle at its end.
//
// For dk and dv a warp owns keys and computes the transposed tiles s^T = k q^T and dp^T = v dout^T, whose
// registers are the left sides of dv += p^T dout and dk += ds^T q as they are; so again only the walked side passes
// through shared memory. p and ds are rounded to bf16 before these products.
//
// Cost: 14 D flops a score on tensor cores, 7 B T (T + 1) C in all; reads the owned side once and the walked one T /
// (2 rows of a tile) times, mostly from L2; writes dqkv once. The limits are mma.sync and, where a warp owns 16 rows,
// ldmatrix, which then takes as long. Blocks of 128 threads, two a multiprocessor, which the registers allow; on sm_80,
// without spills:
//   D = 64    dk, dv: 64 keys, 64 queries a step; dq: 128 queries, 32 keys a step; 49 KiB, 232 registers
//   D = 128   dk, dv: 64 keys, 32 queries a step; dq: 64 queries, 32 keys a step; 65 KiB, 243 registers
#include "kernels/cuda/attention_tiles.h"

#include <algorithm>

namespace steepest {

namespace {

using namespace cuda;

// One warp a row; rows from T to padded_T get zeros, with which they add nothing to any sum.
template <class T>
__global__ void attention_statistics(RowStatistics* statistics, const T* dout, const T* out, const float* lse,
                                     AttentionSizes z, bool packed) {
    const std::int64_t row = std::int64_t{blockIdx.x} * (blockDim.x / kWarp) + threadIdx.x / kWarp;
    const int lane = threadIdx.x % kWarp, t = static_cast<int>(row % z.padded_T);
    if (row >= std::int64_t{z.all_heads} * z.padded_T) return;
    const auto head = static_cast<unsigned>(row / z.padded_T);
    float delta = 0;
    if (t < z.T) {
        const T *a = dout + z.out(head) + t * z.C, *b = out + z.out(head) + t * z.C;
        if (packed) {
            for (int d = lane * Pack<T>::kCount; d < z.D; d += kWarp * Pack<T>::kCount) {
                const Pack<T> x = load_pack(a + d), y = load_pack(b + d);
#pragma unroll
                for (int i = 0; i < Pack<T>::kCount; ++i) delta = fmaf(to_float(x[i]), to_float(y[i]), delta);
            }
        } else {
            for (int d = lane; d < z.D; d += kWarp) delta = fmaf(to_float(a[d]), to_float(b[d]), delta);
        }
    }
    delta = warp_sum(delta);
    if (lane == 0) statistics[row] = t < z.T ? RowStatistics{lse[z.row(head, t)] * kLog2E, delta} : RowStatistics{0, 0};
}

// Columns of transposed tiles are queries, so each lane needs the statistics of two neighbours at a time.
template <int kM, int kN>
__device__ void probabilities_transposed(float (&s)[kM][kN][4], const RowStatistics* statistics, float scale, int key,
                                         int query, bool masked) {
    const int lane = threadIdx.x % kWarp;
    key += lane / 4, query += lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < kN; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float lse = statistics[8 * n + lane % 4 * 2 + i % 2].lse;
#pragma unroll
            for (int m = 0; m < kM; ++m) {
                const float p = fast_exp2(fmaf(s[m][n][i], scale, -lse));
                s[m][n][i] = masked && key + 16 * m + i / 2 * 8 > query + 8 * n + i % 2 ? 0.0f : p;
            }
        }
}

// kD: columns of a tile, at least D; kM: tiles of 16 keys a warp; kN: queries a step.
template <int kD, int kM, int kN>
struct KeysTiles {
    static constexpr int kRows = kAttentionWarps * 16 * kM;
    static constexpr std::size_t kBytes =
        (2 * kRows + 4 * kN) * kD * sizeof(__nv_bfloat16) + 2 * kN * sizeof(RowStatistics);
};

template <int kD, int kM, int kN>
__device__ void backward_keys(__nv_bfloat16* dqkv, const __nv_bfloat16* dout, const RowStatistics* statistics,
                              const __nv_bfloat16* qkv, const AttentionSizes& z, unsigned block,
                              __nv_bfloat16* shared) {
    constexpr int kRows = KeysTiles<kD, kM, kN>::kRows, kStage = 2 * kN * kD;
    __nv_bfloat16 *keys = shared, *values = keys + kRows * kD, *stages = values + kRows * kD;
    auto* row_stages = reinterpret_cast<RowStatistics*>(stages + 2 * kStage);

    const AttentionTask task = attention_task(z, block, (z.T + kRows - 1) / kRows);
    const int first = task.rank * kRows, row = threadIdx.x / kWarp * 16 * kM, key = first + row;
    const std::int64_t stride = 3 * z.C;
    const __nv_bfloat16 *q = qkv + z.qkv(task.head), *head_dout = dout + z.out(task.head);
    const RowStatistics* head_statistics = statistics + std::int64_t{task.head} * z.padded_T;
    const auto load = [&](int step) {
        __nv_bfloat16* stage = stages + step % 2 * kStage;
        load_tile<kD, kN>(stage, q, stride, step * kN, z);
        load_tile<kD, kN>(stage + kN * kD, head_dout, z.C, step * kN, z);
        if (threadIdx.x < kN / 2)
            copy_async(row_stages + step % 2 * kN + 2 * threadIdx.x, head_statistics + step * kN + 2 * threadIdx.x);
        commit_copies();
    };
    const int begin = first / kN, end = (z.T + kN - 1) / kN;
    load_tile<kD, kRows>(keys, q + z.C, stride, first, z);
    load_tile<kD, kRows>(values, q + 2 * z.C, stride, first, z);
    load(begin);

    float dk[kM][kD / 8][4], dv[kM][kD / 8][4];
    clear(dk), clear(dv);
    for (int step = begin; step < end; ++step) {
        wait_copies<0>();
        __syncthreads();  // this step's tiles are there, and all warps are done with the other stage
        if (step + 1 < end) load(step + 1);
        const int query = step * kN;
        if (query + kN - 1 < key) continue;
        const __nv_bfloat16 *stage_q = stages + step % 2 * kStage, *stage_dout = stage_q + kN * kD;
        const RowStatistics* rows = row_stages + step % 2 * kN;
        float p[kM][kN / 8][4], ds[kM][kN / 8][4];
        clear(p), clear(ds);
        multiply_by_rows<kD>(
            p, [&](int k) { return left_fragments<kD, kM>(keys, row, k); }, stage_q);
        probabilities_transposed(p, rows, z.scale_log2, key, query, query < key + 16 * kM - 1);
        multiply<kD>(dv, p, stage_dout);
        multiply_by_rows<kD>(
            ds, [&](int k) { return left_fragments<kD, kM>(values, row, k); }, stage_dout);
#pragma unroll
        for (int n = 0; n < kN / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float delta = rows[8 * n + threadIdx.x % 4 * 2 + i % 2].delta;
#pragma unroll
                for (int m = 0; m < kM; ++m) ds[m][n][i] = p[m][n][i] * (ds[m][n][i] - delta);
            }
        multiply<kD>(dk, ds, stage_q);
    }
    __nv_bfloat16* to = dqkv + z.qkv(task.head) + z.C;
    store_rows<kD, kM>(to, stride, keys, row, key, dk, z.scale, z);
    store_rows<kD, kM>(to + z.C, stride, values, row, key, dv, 1, z);
}

// kD: columns of a tile, at least D; kM: tiles of 16 queries a warp; kN: keys a step.
template <int kD, int kM, int kN>
struct QueriesTiles {
    static constexpr int kRows = kAttentionWarps * 16 * kM;
    static constexpr std::size_t kBytes = (2 * kRows + 4 * kN) * kD * sizeof(__nv_bfloat16);
};

template <int kD, int kM, int kN>
__device__ void backward_queries(__nv_bfloat16* dqkv, const __nv_bfloat16* dout, const RowStatistics* statistics,
                                 const __nv_bfloat16* qkv, const AttentionSizes& z, unsigned block,
                                 __nv_bfloat16* shared) {
    constexpr int kRows = QueriesTiles<kD, kM, kN>::kRows, kStage = 2 * kN * kD;
    __nv_bfloat16 *queries = shared, *douts = queries + kRows * kD, *stages = douts + kRows * kD;

    const int tiles = (z.T + kRows - 1) / kRows, lane = threadIdx.x % kWarp;
    const AttentionTask task = attention_task(z, block, tiles);
    const int first = (tiles - 1 - task.rank) * kRows, row = threadIdx.x / kWarp * 16 * kM, t = first + row;
    const int steps = (min(first + kRows, z.T) + kN - 1) / kN;
    const std::int64_t stride = 3 * z.C;
    const __nv_bfloat16* head = qkv + z.qkv(task.head);
    const auto load = [&](int step) {
        __nv_bfloat16* stage = stages + step % 2 * kStage;
        load_tile<kD, kN>(stage, head + z.C, stride, step * kN, z);
        load_tile<kD, kN>(stage + kN * kD, head + 2 * z.C, stride, step * kN, z);
        commit_copies();
    };
    load_tile<kD, kRows>(queries, head, stride, first, z);
    load_tile<kD, kRows>(douts, dout + z.out(task.head), z.C, first, z);
    load(0);

    RowStatistics rows[kM][2];
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half)
            rows[m][half] = statistics[std::int64_t{task.head} * z.padded_T + t + 16 * m + 8 * half + lane / 4];
    float dq[kM][kD / 8][4];
    clear(dq);
    for (int step = 0; step < steps; ++step) {
        wait_copies<0>();
        __syncthreads();  // this step's tiles are there, and all warps are done with the other stage
        if (step + 1 < steps) load(step + 1);
        const int key = step * kN;
        if (key > t + 16 * kM - 1) continue;
        const bool masked = key + kN - 1 > t;
        const __nv_bfloat16 *stage_k = stages + step % 2 * kStage, *stage_v = stage_k + kN * kD;
        float p[kM][kN / 8][4], ds[kM][kN / 8][4];
        clear(p), clear(ds);
        multiply_by_rows<kD>(
            p, [&](int k) { return left_fragments<kD, kM>(queries, row, k); }, stage_k);
        multiply_by_rows<kD>(
            ds, [&](int k) { return left_fragments<kD, kM>(douts, row, k); }, stage_v);
#pragma unroll
        for (int m = 0; m < kM; ++m)
#pragma unroll
            for (int n = 0; n < kN / 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const RowStatistics& r = rows[m][i / 2];
                    const float probability = fast_exp2(fmaf(p[m][n][i], z.scale_log2, -r.lse));
                    const bool seen = key + 8 * n + lane % 4 * 2 + i % 2 <= t + 16 * m + i / 2 * 8 + lane / 4;
                    ds[m][n][i] = masked && !seen ? 0.0f : probability * (ds[m][n][i] - r.delta);
                }
        multiply<kD>(dq, ds, stage_k);
    }
    store_rows<kD, kM>(dqkv + z.qkv(task.head), stride, queries, row, t, dq, z.scale, z);
}

template <int kD, int kKeysM, int kKeysN, int kQueriesM, int kQueriesN>
__global__ void __launch_bounds__(kAttentionThreads, 2)
    attention_backward(__nv_bfloat16* dqkv, const __nv_bfloat16* dout, const RowStatistics* statistics,
                       const __nv_bfloat16* qkv, AttentionSizes z, unsigned keys_blocks) {
    extern __shared__ __align__(128) __nv_bfloat16 shared[];
    if (blockIdx.x < keys_blocks)
        backward_keys<kD, kKeysM, kKeysN>(dqkv, dout, statistics, qkv, z, blockIdx.x, shared);
    else
        backward_queries<kD, kQueriesM, kQueriesN>(dqkv, dout, statistics, qkv, z, blockIdx.x - keys_blocks, shared);
}

RowStatistics* launch_statistics(Cuda& cuda, const AttentionBackward& op, const AttentionSizes& z) {
    constexpr int kRows = 8;  // a block
    const std::int64_t rows = std::int64_t{z.all_heads} * z.padded_T;
    auto* statistics = cuda.scratch<RowStatistics>(rows);
    dispatch(op.out.dtype, [&]<class T>() {
        const bool packed = z.D % Pack<T>::kCount == 0 && z.C % Pack<T>::kCount == 0 && aligned16(op.out.data) &&
                            aligned16(op.dout.data);
        launch(cuda, {static_cast<unsigned>(divide_up(rows, kRows)), kRows * kWarp}, attention_statistics<T>,
               statistics, data<T>(op.dout), data<T>(op.out), data<float>(op.lse), z, packed);
    });
    return statistics;
}

template <int kD, int kKeysM, int kKeysN, int kQueriesM, int kQueriesN>
void launch_backward(Cuda& cuda, const AttentionBackward& op, const AttentionSizes& z,
                     const RowStatistics* statistics) {
    using Keys = KeysTiles<kD, kKeysM, kKeysN>;
    using Queries = QueriesTiles<kD, kQueriesM, kQueriesN>;
    const auto blocks = [&](int rows) { return static_cast<unsigned>(divide_up(z.T, rows)) * z.all_heads; };
    launch(cuda,
           {blocks(Keys::kRows) + blocks(Queries::kRows), kAttentionThreads, std::max(Keys::kBytes, Queries::kBytes)},
           attention_backward<kD, kKeysM, kKeysN, kQueriesM, kQueriesN>, data<__nv_bfloat16>(op.dqkv),
           data<__nv_bfloat16>(op.dout), statistics, data<__nv_bfloat16>(op.qkv), z, blocks(Keys::kRows));
}

}  // namespace

void run(Cuda& cuda, const AttentionBackward& op) {
    const AttentionSizes z(op.out.shape, op.heads);
    const RowStatistics* statistics = launch_statistics(cuda, op, z);
    if (!fits_tensor_cores(z, op.out.dtype, {op.dqkv.data, op.dout.data, op.qkv.data}))
        run_any(cuda, op, statistics);
    else if (z.D <= 32)
        launch_backward<32, 1, 64, 1, 64>(cuda, op, z, statistics);
    else if (z.D <= 64)
        launch_backward<64, 1, 64, 2, 32>(cuda, op, z, statistics);
    else
        launch_backward<128, 1, 32, 1, 32>(cuda, op, z, statistics);
}

}  // namespace steepest
