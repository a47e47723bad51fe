// Rows and columns of matrices on the GPU, all matrices of a list in one launch for each 128 of them.
//
// Rows: a warp a row, eight rows a block; the row is read once, 4 bytes an element, neighbouring lanes neighbouring
// elements. Columns: a block takes 32 of them, its eight warps every eighth row, and adds up their eight sums; a row's
// piece is one 128-byte line. Sums are in double, in an order that the shape decides. Both are limited by memory.
#include "kernels/cuda/matrix_list.h"
#include "ops/axis.h"

namespace steepest {

namespace {

using cuda::kWarp;

constexpr int kWarps = 8, kThreads = kWarps * kWarp;

struct Item {
    float *x, *values;
    std::int64_t rows, cols;
};
using Items = cuda::MatrixList<Item>;

void for_each_items(const TensorList& x, const TensorList& values, Axis axis, int per_block, auto&& go) {
    const auto item = [&](std::size_t i) {
        return Item{cuda::data<float>(x[i]), cuda::data<float>(values[i]), x[i].shape.rows(), x[i].shape.cols()};
    };
    const auto blocks = [&](std::size_t i) { return cuda::divide_up(along(x[i].shape, axis), per_block); };
    cuda::for_each_list<Item>(x.size(), item, blocks, go);
}

__global__ void __launch_bounds__(kThreads)
    row_squares(const __grid_constant__ Items items, bool mean) {
    const auto [item, block] = cuda::place(items, blockIdx.x);
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
    const auto [item, block] = cuda::place(items, blockIdx.x);
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
    const auto [item, block] = cuda::place(items, blockIdx.x);
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
