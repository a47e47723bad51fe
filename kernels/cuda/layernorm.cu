// LayerNorm. The variance is summed as (x - mean)^2, from registers: mean(x^2) - mean^2 would cancel.
//
// Forward: a warp a row, or a block where a row is longer than 256 groups of 16 bytes; the row stays in registers as it
// lies in memory, so that x and residual are read once and sum and y written once: 4 bytes an element in bf16 (8 with a
// residual), which is the minimum. weight and bias are read again for every row, from the caches, at twice that rate;
// the limit is the memory.
//
// Backward: each block walks a fixed share of the rows, the next row under way while one is worked on. A thread keeps
// the same columns throughout, so the sums of dweight and dbias stay in its registers; a second kernel adds up the
// blocks' sums in order. dy, x and residual are read once, dx is written once: the minimum but for the blocks' sums, 16
// bytes a column for 16 rows or more, which the L2 cache holds.
//
// Rows too long for registers (over 64 KiB forward, 16 KiB backward) are read again for each pass. All sums are f32, in
// an order that the shape decides.
#include "kernels/cuda/group.h"
#include "ops/layernorm.h"

#include <algorithm>

namespace steepest {

namespace {

using cuda::Group;
using cuda::kWarp;

constexpr int kMaxThreads = 512;
constexpr int kRowWarps = 4;            // rows of a block where a warp takes one
constexpr std::int64_t kMinRows = 16;   // of a block of the backward pass, so that its partial sums pay
constexpr std::int64_t kBlocks = 1024;  // of the backward pass at most: some eight for each multiprocessor

// f(k, g) for the thread's groups g of a row: the same number of steps for every thread if kGroups is given, so that
// what is kept for step k can be in registers; as many as there are if it is 0.
template <int kGroups, class F>
__device__ void each_group(int groups, F&& f) {
    if constexpr (kGroups > 0) {
#pragma unroll
        for (int k = 0; k < kGroups; ++k) {
            const int g = threadIdx.x + k * blockDim.x;
            if (g < groups) f(k, g);
        }
    } else {
        for (int g = threadIdx.x; g < groups; g += blockDim.x) f(0, g);
    }
}

// Over the threads of a row.
__device__ float row_sum(float x) { return blockDim.x == kWarp ? cuda::warp_sum(x) : cuda::block_sum(x); }

// --- forward

template <class T>
struct Forward {
    T *y, *sum;
    float *mean, *rstd;
    const T *x, *residual;
    const float *weight, *bias;
    std::int64_t rows;
    int C;
    float eps;
};

template <class T, int kWidth, int kGroups>
__global__ void __launch_bounds__(kMaxThreads, 2) forward(const Forward<T> op) {
    const std::int64_t n = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y, offset = n * op.C;
    if (n >= op.rows) return;
    const int groups = op.C / kWidth;
    const T* source = op.residual ? op.sum : op.x;
    Group<T, kWidth> kept[std::max(kGroups, 1)] = {};
    const auto at = [&](int k, int g) {
        if constexpr (kGroups > 0)
            return kept[k];
        else
            return Group<T, kWidth>::load(source + offset + std::int64_t{g} * kWidth);
    };

    float total = 0;
    each_group<kGroups>(groups, [&](int k, int g) {
        const std::int64_t i = offset + std::int64_t{g} * kWidth;
        kept[k] = Group<T, kWidth>::load(op.x + i);
        if (op.residual) {
            const auto residual = Group<T, kWidth>::load(op.residual + i);
            float sum[kWidth];
#pragma unroll
            for (int j = 0; j < kWidth; ++j) sum[j] = kept[k][j] + residual[j];
            kept[k] = Group<T, kWidth>::round(sum);
            kept[k].store(op.sum + i);
        }
#pragma unroll
        for (int j = 0; j < kWidth; ++j) total += kept[k][j];
    });
    const float mean = row_sum(total) / static_cast<float>(op.C);

    float square = 0;
    each_group<kGroups>(groups, [&](int k, int g) {
        const auto x = at(k, g);
#pragma unroll
        for (int j = 0; j < kWidth; ++j) square += (x[j] - mean) * (x[j] - mean);
    });
    const float rstd = 1 / sqrtf(row_sum(square) / static_cast<float>(op.C) + op.eps);

    each_group<kGroups>(groups, [&](int k, int g) {
        const Group<T, kWidth> x = at(k, g);
        const auto weight = Group<float, kWidth>::load(op.weight + g * kWidth);
        float y[kWidth];
#pragma unroll
        for (int j = 0; j < kWidth; ++j) y[j] = (x[j] - mean) * rstd * weight[j];
        if (op.bias) {
            const auto bias = Group<float, kWidth>::load(op.bias + g * kWidth);
#pragma unroll
            for (int j = 0; j < kWidth; ++j) y[j] += bias[j];
        }
        Group<T, kWidth>::round(y).store(op.y + offset + std::int64_t{g} * kWidth);
    });
    if (threadIdx.x == 0) op.mean[n] = mean, op.rstd[n] = rstd;
}

template <class T, int kWidth>
void launch_forward(Cuda& cuda, const Forward<T>& op) {
    const int groups = op.C / kWidth;
    const auto go = [&]<int kGroups>(int threads, int rows) {
        const auto blocks = static_cast<unsigned>(cuda::divide_up(op.rows, rows));
        cuda::launch(cuda, {blocks, dim3(threads, rows)}, forward<T, kWidth, kGroups>, op);
    };
    if (groups <= kWarp) return go.template operator()<1>(kWarp, kRowWarps);
    if (groups <= 2 * kWarp) return go.template operator()<2>(kWarp, kRowWarps);
    if (groups <= 4 * kWarp) return go.template operator()<4>(kWarp, kRowWarps);
    if (groups <= 8 * kWarp) return go.template operator()<8>(kWarp, kRowWarps);
    const int threads = static_cast<int>(cuda::divide_up(groups, 4 * kWarp)) * kWarp;
    if (threads <= kMaxThreads) return go.template operator()<4>(threads, 1);
    if (groups <= 8 * kMaxThreads) return go.template operator()<8>(kMaxThreads, 1);
    go.template operator()<0>(kMaxThreads, 1);
}

// --- backward

template <class T>
struct Backward {
    T* dx;
    const T *dy, *x, *residual;
    const float *weight, *mean, *rstd;
    float* partials;  // (blocks, 2, C): of dweight, of dbias
    std::int64_t rows, rows_per_block;
    int C;
};

// Both sums over the block, to every thread. One barrier, since calls take turns with two buffers: who writes to one
// again has passed a barrier that all readers of its last contents have reached.
__device__ float2 row_sums(float2 v, int turn) {
    __shared__ float2 partial[2][kMaxThreads / kWarp];
    v.x = cuda::warp_sum(v.x), v.y = cuda::warp_sum(v.y);
    const int warps = blockDim.x / kWarp;
    if (warps == 1) return v;
    if (threadIdx.x % kWarp == 0) partial[turn][threadIdx.x / kWarp] = v;
    __syncthreads();
    float2 total = partial[turn][0];
    for (int w = 1; w < warps; ++w) total.x += partial[turn][w].x, total.y += partial[turn][w].y;
    return total;
}

// What a thread holds of a row.
template <class T, int kWidth, int kGroups>
struct Row {
    Group<T, kWidth> dy[kGroups], x[kGroups], residual[kGroups];
    float mean, rstd;

    __device__ void load(const Backward<T>& op, std::int64_t n) {
        each_group<kGroups>(op.C / kWidth, [&](int k, int g) {
            const std::int64_t i = n * op.C + g * kWidth;
            dy[k] = Group<T, kWidth>::load(op.dy + i);
            x[k] = Group<T, kWidth>::load(op.x + i);
            if (op.residual) residual[k] = Group<T, kWidth>::load(op.residual + i);
        });
        mean = op.mean[n], rstd = op.rstd[n];
    }
};

template <class T, int kWidth>
__device__ void write_dx(const Backward<T>& op, std::int64_t i, const Group<T, kWidth>& dy, const Group<T, kWidth>& x,
                         const Group<T, kWidth>& residual, const Group<float, kWidth>& weight, float mean, float rstd,
                         float2 means) {
    float dx[kWidth];
#pragma unroll
    for (int j = 0; j < kWidth; ++j) {
        dx[j] = rstd * (dy[j] * weight[j] - means.x - (x[j] - mean) * rstd * means.y);
        if (op.residual) dx[j] += residual[j];
    }
    Group<T, kWidth>::round(dx).store(op.dx + i);
}

template <class T, int kWidth, int kGroups>
__global__ void __launch_bounds__(kMaxThreads) backward(const Backward<T> op) {
    const std::int64_t begin = blockIdx.x * op.rows_per_block, end = min(op.rows, begin + op.rows_per_block);
    const int groups = op.C / kWidth;
    float dweight[kGroups][kWidth] = {}, dbias[kGroups][kWidth] = {};
    Row<T, kWidth, kGroups> row, next;
    next.load(op, begin);
    for (std::int64_t n = begin; n < end; ++n) {
        row = next;
        if (n + 1 < end) next.load(op, n + 1);
        float2 sums = {0, 0};  // of g, of g * normed
        each_group<kGroups>(groups, [&](int k, int g) {
            const auto weight = Group<float, kWidth>::load(op.weight + g * kWidth);
#pragma unroll
            for (int j = 0; j < kWidth; ++j) {
                const float dy = row.dy[k][j], normed = (row.x[k][j] - row.mean) * row.rstd;
                dbias[k][j] += dy;
                dweight[k][j] += dy * normed;
                sums.x += dy * weight[j];
                sums.y += dy * weight[j] * normed;
            }
        });
        sums = row_sums(sums, (n - begin) % 2);
        const float2 means = {sums.x / static_cast<float>(op.C), sums.y / static_cast<float>(op.C)};
        each_group<kGroups>(groups, [&](int k, int g) {
            const auto weight = Group<float, kWidth>::load(op.weight + g * kWidth);
            write_dx(op, n * op.C + g * kWidth, row.dy[k], row.x[k], row.residual[k], weight, row.mean, row.rstd,
                     means);
        });
    }
    float* partials = op.partials + std::int64_t{blockIdx.x} * 2 * op.C;
    each_group<kGroups>(groups, [&](int k, int g) {
        Group<float, kWidth>::round(dweight[k]).store(partials + g * kWidth);
        Group<float, kWidth>::round(dbias[k]).store(partials + op.C + g * kWidth);
    });
}

// For rows of any length: the block's sums lie in memory, where each thread adds to its own columns.
template <class T, int kWidth>
__global__ void __launch_bounds__(kMaxThreads) backward_long_rows(const Backward<T> op) {
    const std::int64_t begin = blockIdx.x * op.rows_per_block, end = min(op.rows, begin + op.rows_per_block);
    const int groups = op.C / kWidth;
    float* dweight_sums = op.partials + std::int64_t{blockIdx.x} * 2 * op.C;
    float* dbias_sums = dweight_sums + op.C;
    for (std::int64_t n = begin; n < end; ++n) {
        const float mean = op.mean[n], rstd = op.rstd[n];
        float2 sums = {0, 0};
        each_group<0>(groups, [&](int, int g) {
            const std::int64_t c = std::int64_t{g} * kWidth, i = n * op.C + c;
            const auto dy = Group<T, kWidth>::load(op.dy + i), x = Group<T, kWidth>::load(op.x + i);
            const auto weight = Group<float, kWidth>::load(op.weight + c);
            for (int j = 0; j < kWidth; ++j) {
                const float normed = (x[j] - mean) * rstd;
                dweight_sums[c + j] = (n == begin ? 0 : dweight_sums[c + j]) + dy[j] * normed;
                dbias_sums[c + j] = (n == begin ? 0 : dbias_sums[c + j]) + dy[j];
                sums.x += dy[j] * weight[j];
                sums.y += dy[j] * weight[j] * normed;
            }
        });
        sums = row_sums(sums, (n - begin) % 2);
        const float2 means = {sums.x / static_cast<float>(op.C), sums.y / static_cast<float>(op.C)};
        each_group<0>(groups, [&](int, int g) {
            const std::int64_t c = std::int64_t{g} * kWidth, i = n * op.C + c;
            const auto dy = Group<T, kWidth>::load(op.dy + i), x = Group<T, kWidth>::load(op.x + i);
            const auto residual = op.residual ? Group<T, kWidth>::load(op.residual + i) : dy;
            write_dx(op, i, dy, x, residual, Group<float, kWidth>::load(op.weight + c), mean, rstd, means);
        });
    }
}

// Column c of the blocks' sums, seen as (blocks, 2 C), a warp's lanes side by side: each warp of the block takes every
// 32nd row, then the warps' sums are added in order.
__global__ void sum_partials(float* dweight, float* dbias, const float* partials, int blocks, int C, bool accumulate) {
    __shared__ float sums[kWarp][kWarp];
    const std::int64_t cols = 2 * std::int64_t{C}, c = std::int64_t{blockIdx.x} * kWarp + threadIdx.x;
    float sum = 0;
    if (c < cols) {
#pragma unroll 8
        for (int b = threadIdx.y; b < blocks; b += kWarp) sum += partials[b * cols + c];
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    float* out = c < C ? dweight + c : dbias + (c - C);
    if (threadIdx.y > 0 || c >= cols || (c >= C && !dbias)) return;
    for (int w = 1; w < kWarp; ++w) sum += sums[w][threadIdx.x];
    *out = accumulate ? *out + sum : sum;
}

template <class T, int kWidth>
void launch_backward(Cuda& cuda, const Backward<T>& op, std::int64_t blocks) {
    const std::int64_t groups = op.C / kWidth;
    const auto threads = static_cast<unsigned>(
        std::min<std::int64_t>(kMaxThreads, cuda::divide_up(std::max<std::int64_t>(groups, 1), kWarp) * kWarp));
    const cuda::Grid grid{static_cast<unsigned>(blocks), threads};
    if (groups <= kMaxThreads)
        cuda::launch(cuda, grid, backward<T, kWidth, 1>, op);
    else if (groups <= 2 * kMaxThreads)
        cuda::launch(cuda, grid, backward<T, kWidth, 2>, op);
    else
        cuda::launch(cuda, grid, backward_long_rows<T, kWidth>, op);
}

}  // namespace

void run(Cuda& cuda, const LayerNormForward& op) {
    cuda::dispatch(op.x.dtype, [&]<class T>() {
        const Forward<T> f{.y = cuda::data<T>(op.y),
                           .sum = cuda::data<T>(op.sum),
                           .mean = cuda::data<float>(op.mean),
                           .rstd = cuda::data<float>(op.rstd),
                           .x = cuda::data<T>(op.x),
                           .residual = cuda::data<T>(op.residual),
                           .weight = cuda::data<float>(op.weight),
                           .bias = cuda::data<float>(op.bias),
                           .rows = op.x.shape.rows(),
                           .C = static_cast<int>(op.x.shape.cols()),
                           .eps = op.eps};
        if (cuda::in_packs<T>(f.C, f.y, f.sum, f.x, f.residual, f.weight, f.bias))
            launch_forward<T, cuda::Pack<T>::kCount>(cuda, f);
        else
            launch_forward<T, 1>(cuda, f);
    });
}

void run(Cuda& cuda, const LayerNormBackward& op) {
    const std::int64_t C = op.x.shape.cols(), rows = op.x.shape.rows();
    const std::int64_t rows_per_block = std::max(kMinRows, cuda::divide_up(rows, kBlocks));
    const std::int64_t blocks = cuda::divide_up(rows, rows_per_block);
    float* partials = cuda.scratch<float>(blocks * 2 * C);
    cuda::dispatch(op.x.dtype, [&]<class T>() {
        const Backward<T> b{.dx = cuda::data<T>(op.dx),
                            .dy = cuda::data<T>(op.dy),
                            .x = cuda::data<T>(op.x),
                            .residual = cuda::data<T>(op.residual),
                            .weight = cuda::data<float>(op.weight),
                            .mean = cuda::data<float>(op.mean),
                            .rstd = cuda::data<float>(op.rstd),
                            .partials = partials,
                            .rows = rows,
                            .rows_per_block = rows_per_block,
                            .C = static_cast<int>(C)};
        if (cuda::in_packs<T>(C, b.dx, b.dy, b.x, b.residual, b.weight))
            launch_backward<T, cuda::Pack<T>::kCount>(cuda, b, blocks);
        else
            launch_backward<T, 1>(cuda, b, blocks);
    });
    cuda::launch(cuda, {static_cast<unsigned>(cuda::divide_up(2 * C, kWarp)), dim3(kWarp, kWarp)}, sum_partials,
                 cuda::data<float>(op.dweight), cuda::data<float>(op.dbias), partials, static_cast<int>(blocks),
                 static_cast<int>(C), op.accumulate);
}

}  // namespace steepest
