// Attention forward on tensor cores.
//
// A block owns a tile of queries of one head and walks the keys up to its diagonal in tiles that cp.async brings two
// deep, with a running maximum and sum a row (Dao 2023, arXiv:2307.08691, algorithm 1). A warp owns whole rows, so
// nothing but keys and values passes between warps. Other dtypes and head sizes: attention_any.cu.
//
// Cost: 4 D flops a score on tensor cores, 2 B T (T + 1) C in all, plus masked halves of diagonal tiles; reads q once
// and k, v T / 256 times, mostly from L2; writes out and lse once. The limit is mma.sync, with ldmatrix behind it; at
// D = 64 the exponentials take half as long as the products (16 against 2048 flops a clock and multiprocessor of an
// A100) and overlap only with the products of other warps. Blocks of 128 threads, two a multiprocessor, which the
// registers allow; on sm_80, and without spills from there to sm_120:
//   D = 64   128 queries, 64 keys a step, 48 KiB, 222 registers
//   D = 128  128 queries, 32 keys a step, 64 KiB, 253 registers
#include "kernels/cuda/attention_tiles.h"

namespace steepest {

namespace {

using namespace cuda;

template <int kD, int kM, int kN>
struct ForwardTiles {
    static constexpr int kRows = kAttentionWarps * 16 * kM;
    static constexpr std::size_t kBytes = (kRows + 4 * kN) * kD * sizeof(__nv_bfloat16);
};

// What a lane keeps of its 2 kM rows (row g + 8 half of tile m).
template <int kM>
struct RunningSoftmax {
    float max[kM][2], sum[kM][2];

    __device__ RunningSoftmax() {
#pragma unroll
        for (int m = 0; m < kM; ++m) max[m][0] = max[m][1] = -INFINITY, sum[m][0] = sum[m][1] = 0;
    }
    // Turns scores into probabilities relative to the new maxima; brings sums and outputs to them. The products by
    // `scale` are rounded apart from the differences, so that a row's terms all refer to the same number.
    template <int kN, int kColumns>
    __device__ void update(float (&s)[kM][kN][4], float (&out)[kM][kColumns][4], float scale) {
#pragma unroll
        for (int m = 0; m < kM; ++m)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float highest = max[m][half];
#pragma unroll
                for (int n = 0; n < kN; ++n) highest = fmaxf(highest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
                highest = quad_max(highest);
                const float base = __fmul_rn(highest, scale);
                const float factor = fast_exp2(__fmul_rn(max[m][half], scale) - base);
                max[m][half] = highest;
                float total = 0;
#pragma unroll
                for (int n = 0; n < kN; ++n)
#pragma unroll
                    for (int i = 2 * half; i < 2 * half + 2; ++i)
                        total += s[m][n][i] = fast_exp2(fmaf(s[m][n][i], scale, -base));
                sum[m][half] = sum[m][half] * factor + total;
#pragma unroll
                for (int n = 0; n < kColumns; ++n) out[m][n][2 * half] *= factor, out[m][n][2 * half + 1] *= factor;
            }
    }
};

// `ahead`: of the tile's first key over the warp's first query.
template <int kM, int kN>
__device__ void mask(float (&s)[kM][kN][4], int ahead) {
    const int lane = threadIdx.x % kWarp, row = lane / 4, key = ahead + lane % 4 * 2;
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
        for (int n = 0; n < kN; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                if (key + 8 * n + i % 2 > row + 16 * m + i / 2 * 8) s[m][n][i] = -INFINITY;
}

// kD: columns of a tile, at least D; kM: tiles of 16 queries a warp; kN: keys a step.
template <int kD, int kM, int kN>
__global__ void __launch_bounds__(kAttentionThreads, 2)
    attention_forward(__nv_bfloat16* out, float* lse, const __nv_bfloat16* qkv, AttentionSizes z) {
    constexpr int kRows = ForwardTiles<kD, kM, kN>::kRows, kStage = 2 * kN * kD;
    // Fragments of q stay in registers where there is room for them on every architecture.
    constexpr bool kKeepQueries = kM * kD <= 64;
    extern __shared__ __align__(128) __nv_bfloat16 shared[];
    __nv_bfloat16 *queries = shared, *stages = shared + kRows * kD;

    const int tiles = (z.T + kRows - 1) / kRows;
    const AttentionTask task = attention_task(z, blockIdx.x, tiles);
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
    load(0);

    float o[kM][kD / 8][4];
    clear(o);
    RunningSoftmax<kM> softmax;
    LeftFragments<kM> kept[kKeepQueries ? kD / 16 : 1];
    for (int step = 0; step < steps; ++step) {
        wait_copies<0>();
        __syncthreads();  // this step's tiles are there, and all warps are done with the other stage
        if (step + 1 < steps) load(step + 1);
        if constexpr (kKeepQueries)
            if (step == 0) {
#pragma unroll
                for (int k = 0; k < kD / 16; ++k) kept[k] = left_fragments<kD, kM>(queries, row, k);
            }
        const int ahead = step * kN - t;  // one number to keep for what follows, where registers are short
        if (ahead > 16 * kM - 1) continue;
        const __nv_bfloat16* stage = stages + step % 2 * kStage;
        float s[kM][kN / 8][4];
        clear(s);
        multiply_by_rows<kD>(
            s,
            [&](int k) {
                if constexpr (kKeepQueries)
                    return kept[k];
                else
                    return left_fragments<kD, kM>(queries, row, k);
            },
            stage);
        if (ahead > 1 - kN) mask(s, ahead);
        softmax.update(s, o, z.scale_log2);
        multiply<kD>(o, s, stage + kN * kD);
    }

    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float sum = quad_sum(softmax.sum[m][half]), max = softmax.max[m][half], factor = 1 / sum;
#pragma unroll
            for (int n = 0; n < kD / 8; ++n) o[m][n][2 * half] *= factor, o[m][n][2 * half + 1] *= factor;
            const int i = t + 16 * m + 8 * half + lane / 4;
            // The maximum was subtracted as rounded; `rounding` is what that left out.
            const float rounding = fmaf(max, z.scale_log2, -__fmul_rn(max, z.scale_log2));
            if (lane % 4 == 0 && i < z.T) lse[z.row(task.head, i)] = fmaf(max, z.scale, (log2f(sum) - rounding) * kLn2);
        }
    store_rows<kD, kM>(out + z.out(task.head), z.C, queries, row, t, o, 1, z);
}

template <int kD, int kM, int kN>
void launch_forward(Cuda& cuda, const AttentionForward& op, const AttentionSizes& z) {
    using Tiles = ForwardTiles<kD, kM, kN>;
    const auto tiles = static_cast<unsigned>(divide_up(z.T, Tiles::kRows));
    launch(cuda, {tiles * z.all_heads, kAttentionThreads, Tiles::kBytes}, attention_forward<kD, kM, kN>,
           data<__nv_bfloat16>(op.out), data<float>(op.lse), data<__nv_bfloat16>(op.qkv), z);
}

}  // namespace

void run(Cuda& cuda, const AttentionForward& op) {
    const AttentionSizes z(op.out.shape, op.heads);
    if (!fits_tensor_cores(z, op.out.dtype, {op.out.data, op.qkv.data}))
        run_any(cuda, op);
    else if (z.D <= 32)
        launch_forward<32, 2, 64>(cuda, op, z);
    else if (z.D <= 64)
        launch_forward<64, 2, 64>(cuda, op, z);
    else
        launch_forward<128, 2, 32>(cuda, op, z);
}

}  // namespace steepest
