// Orders of rows on the GPU: a warp a row throughout. Keys are inner products of rows, read once; a rank counts the
// keys before it, which come from L2; a permuted row is read in order and written in its own, 4 bytes a lane where
// columns move too. Limited by memory.
#include "kernels/cuda/matrix_list.h"
#include "ops/order.h"

namespace steepest {

namespace {

using cuda::kWarp;

constexpr int kWarps = 8, kThreads = kWarps * kWarp;

struct Item {
    const float *x, *y;  // of a permutation: from, and nothing
    float* to;           // of ranks: keys
    float *rows, *columns;
    std::int64_t height, width;
};
using Items = cuda::MatrixList<Item>;

struct Row {
    const Item& item;
    std::int64_t row;
};
__device__ inline Row row_of(const Items& items) {
    const auto [item, block] = cuda::place(items, blockIdx.x);
    return {item, block * kWarps + threadIdx.x / kWarp};
}

void launch_rows(Cuda& cuda, void (*kernel)(Items), const TensorList& x, auto&& item) {
    const auto blocks = [&](std::size_t i) { return cuda::divide_up(x[i].shape.rows(), kWarps); };
    cuda::for_each_list<Item>(x.size(), item, blocks, [&](const Items& items, unsigned count) {
        cuda::launch(cuda, {count, kThreads}, kernel, items);
    });
}

__global__ void __launch_bounds__(kThreads) row_products(const __grid_constant__ Items items) {
    const auto [item, row] = row_of(items);
    if (row >= item.height) return;
    double sum = 0;
    for (std::int64_t j = threadIdx.x % kWarp; j < item.width; j += kWarp)
        sum = fma(static_cast<double>(item.x[row * item.width + j]), static_cast<double>(item.y[row * item.width + j]),
                  sum);
    for (int lane = kWarp / 2; lane > 0; lane /= 2) sum += __shfl_xor_sync(cuda::kAllLanes, sum, lane);
    if (threadIdx.x % kWarp == 0) item.to[row] = static_cast<float>(sum);
}

__global__ void __launch_bounds__(kThreads) count_ranks(const __grid_constant__ Items items) {
    const auto [item, row] = row_of(items);
    if (row >= item.height) return;
    const float own = item.to[row];
    int rank = 0;
    for (std::int64_t k = threadIdx.x % kWarp; k < item.height; k += kWarp)
        rank += item.to[k] > own || (item.to[k] == own && k < row);
    for (int lane = kWarp / 2; lane > 0; lane /= 2) rank += __shfl_xor_sync(cuda::kAllLanes, rank, lane);
    if (threadIdx.x % kWarp == 0) item.rows[row] = static_cast<float>(rank);
}

__global__ void __launch_bounds__(kThreads) permute(const __grid_constant__ Items items) {
    const auto [item, row] = row_of(items);
    if (row >= item.height) return;
    const std::int64_t place = item.rows ? static_cast<std::int64_t>(item.rows[row]) : row;
    for (std::int64_t j = threadIdx.x % kWarp; j < item.width; j += kWarp)
        item.to[place * item.width + (item.columns ? static_cast<std::int64_t>(item.columns[j]) : j)] =
            item.x[row * item.width + j];
}

}  // namespace

void run(Cuda& cuda, const RowRanks& op) {
    const auto item = [&](std::size_t i) {
        return Item{cuda::data<float>(op.x[i]),
                    cuda::data<float>(op.y[i]),
                    cuda::data<float>(op.keys[i]),
                    cuda::data<float>(op.ranks[i]),
                    nullptr,
                    op.x[i].shape.rows(),
                    op.x[i].shape.cols()};
    };
    launch_rows(cuda, row_products, op.x, item);
    launch_rows(cuda, count_ranks, op.x, item);
}

void run(Cuda& cuda, const Permute& op) {
    const auto item = [&](std::size_t i) {
        return Item{cuda::data<float>(op.from[i]),
                    nullptr,
                    cuda::data<float>(op.to[i]),
                    cuda::data<float>(op.rows[i]),
                    cuda::data<float>(op.columns[i]),
                    op.to[i].shape.rows(),
                    op.to[i].shape.cols()};
    };
    launch_rows(cuda, permute, op.to, item);
}

}  // namespace steepest
