// Rows and columns of matrices on the GPU, all matrices of a list in one launch for each 128 of them.
//
// Rows: a warp a row, eight rows a block; the row is read once, 4 bytes an element, neighbouring lanes neighbouring
// elements. Columns: a block takes 32 of them, its eight warps every eighth row, and adds up their eight sums; a row's
// piece is one 128-byte line. Sums are in double, in an order that the shape decides. Both are limited by memory.
#include "kernels/cuda/gpu.h"
#include "ops/axis.h"

#include <algorithm>

namespace steepest {

namespace {

using cuda::kWarp;

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kMostMatrices = 128;  // in one launch

struct Item {
    float *x, *values;
    std::int64_t rows, cols;
};
struct Items {
    Item list[kMostMatrices];
    std::int32_t starts[kMostMatrices + 1];  // of each one's blocks
    std::int32_t size;
};

// The matrix of a block, and the block's number in it.
struct Place {
    const Item& item;
    std::int64_t block;
};
__device__ inline Place place(const Items& items, int block) {
    int low = 0, high = items.size;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (items.starts[middle] <= block)
            low = middle;
        else
            high = middle;
    }
    return {items.list[low], block - items.starts[low]};
}

template <class F>
void for_each_items(const TensorList& x, const TensorList& values, Axis axis, int per_block, F&& go) {
    Items items;
    const auto size = static_cast<int>(x.size());
    for (int first = 0; first < size; first += kMostMatrices) {
        items.size = std::min(kMostMatrices, size - first);
        std::int64_t blocks = 0;
        for (int i = 0; i < items.size; ++i) {
            const Tensor& m = x[first + i];
            items.list[i] = {cuda::data<float>(m), cuda::data<float>(values[first + i]), m.shape.rows(),
                             m.shape.cols()};
            items.starts[i] = static_cast<std::int32_t>(blocks);
            blocks += cuda::divide_up(along(m.shape, axis), per_block);
        }
        items.starts[items.size] = static_cast<std::int32_t>(blocks);
        go(items, static_cast<unsigned>(blocks));
    }
}

__global__ void __launch_bounds__(kThreads)
    row_squares(const __grid_constant__ Items items, bool mean) {
    const auto [item, block] = place(items, blockIdx.x);
    const std::int64_t row = block * kWarps + threadIdx.x / kWarp;
    if (row >= item.rows) return;
    const float* x = item.x + row * item.cols;
    double sum = 0;
    for (std::int64_t j = threadIdx.x % kWarp; j < item.cols; j += kWarp) {
        const double value = x[j];
        sum = fma(value, value, sum);
    }
    for (int lane = kWarp / 2; lane > 0; lane /= 2) sum += __shfl_xor_sync(cuda::kAllLanes, sum, lane);
    if (threadIdx.x % kWarp == 0)
        item.values[row] = static_cast<float>(mean && item.cols > 0 ? sum / static_cast<double>(item.cols) : sum);
}

__global__ void __launch_bounds__(kThreads)
    column_squares(const __grid_constant__ Items items, bool mean) {
    __shared__ double partial[kWarps][kWarp];
    const auto [item, block] = place(items, blockIdx.x);
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const std::int64_t column = block * kWarp + lane;
    double sum = 0;
    if (column < item.cols)
        for (std::int64_t r = warp; r < item.rows; r += kWarps) {
            const double value = item.x[r * item.cols + column];
            sum = fma(value, value, sum);
        }
    partial[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || column >= item.cols) return;
    for (int w = 1; w < kWarps; ++w) sum += partial[w][lane];
    item.values[column] = static_cast<float>(mean && item.rows > 0 ? sum / static_cast<double>(item.rows) : sum);
}

__device__ inline float reciprocal(float value, float inside, float outside) {
    const float divisor = sqrtf(value + inside) + outside;
    return divisor == 0 ? 0 : 1 / divisor;
}

// A warp a row, whichever the axis.
__global__ void __launch_bounds__(kThreads)
    divide(const __grid_constant__ Items items, bool by_row, float inside, float outside) {
    const auto [item, block] = place(items, blockIdx.x);
    const std::int64_t row = block * kWarps + threadIdx.x / kWarp;
    if (row >= item.rows) return;
    float* x = item.x + row * item.cols;
    const float own = by_row ? reciprocal(item.values[row], inside, outside) : 0;
    for (std::int64_t j = threadIdx.x % kWarp; j < item.cols; j += kWarp)
        x[j] *= by_row ? own : reciprocal(item.values[j], inside, outside);
}

}  // namespace

void run(Cuda& cuda, const AxisSquares& op) {
    const bool rows = op.axis == Axis::rows;
    for_each_items(op.x, op.sums, op.axis, rows ? kWarps : kWarp, [&](const Items& items, unsigned blocks) {
        cuda::launch(cuda, {blocks, kThreads}, rows ? row_squares : column_squares, items, op.mean);
    });
}

void run(Cuda& cuda, const DivideByRoots& op) {
    for_each_items(op.x, op.values, Axis::rows, kWarps, [&](const Items& items, unsigned blocks) {
        cuda::launch(cuda, {blocks, kThreads}, divide, items, op.axis == Axis::rows, op.inside, op.outside);
    });
}

}  // namespace steepest
