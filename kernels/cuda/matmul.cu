// The linear layer on the GPU: products by cuBLASLt, with what follows them in its epilogues where it has them and they
// are as exact as the ops ask.
//
// The bias is added to the f32 sum before the store rounds: the epilogue's own definition. gelu is a kernel of its own
// (gelu.cu), 4 bytes an element more than an epilogue would move: the epilogue takes gelu of z before z is rounded,
// while the backward pass, and a recomputed forward pass, have z as rounded, and the two would not be the same
// function. gelu' is an epilogue of bf16 results; it reads the preactivation once, 2 bytes an element, where a kernel
// would read and write the product too, 6. For f32 it is a kernel, whose error is known.
//
// The bias gradient is an epilogue of the weight gradient's product, which reads dy anyway: 0 bytes more, against 2 N O
// for a pass.
//
// Whatever the library has no algorithm for (rows that are no multiple of 8 elements, an epilogue that a device or a
// version lacks) is a kernel after the product.
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/matmuls.h"
#include "ops/gelu.h"
#include "ops/matmul.h"

#include <algorithm>

namespace steepest {
namespace {

constexpr int kThreads = 256;

// --- sums of columns

// One block sums `rows_per_block` rows of kWidth * 32 columns: each warp every eighth row, then the warps in order.
constexpr int kWarps = kThreads / cuda::kWarp;

// The place of a strip's column in shared memory: what lanes hold kWidth apart lies in different banks.
constexpr int spread(int col) { return col + col / cuda::kWarp; }

template <class T, int kWidth>
__global__ void column_sums(float* out, const T* x, std::int64_t rows, std::int64_t cols, std::int64_t rows_per_block) {
    __shared__ float partial[kWarps][spread(cuda::kWarp * kWidth)];
    const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
    const std::int64_t first = std::int64_t{blockIdx.x} * (cuda::kWarp * kWidth), col = first + lane * kWidth;
    const std::int64_t begin = blockIdx.y * rows_per_block;
    const std::int64_t end = begin + rows_per_block < rows ? begin + rows_per_block : rows;
    float sum[kWidth] = {};
    if (col < cols)
#pragma unroll 4
        for (std::int64_t row = begin + warp; row < end; row += kWarps) {
            if constexpr (kWidth == 1) {
                sum[0] += cuda::to_float(x[row * cols + col]);
            } else {
                const auto pack = cuda::load_pack(x + row * cols + col);
#pragma unroll
                for (int j = 0; j < kWidth; ++j) sum[j] += cuda::to_float(pack[j]);
            }
        }
#pragma unroll
    for (int j = 0; j < kWidth; ++j) partial[warp][spread(lane * kWidth + j)] = sum[j];
    __syncthreads();
    for (int c = threadIdx.x; c < cuda::kWarp * kWidth && first + c < cols; c += kThreads) {
        float total = 0;
        for (int w = 0; w < kWarps; ++w) total += partial[w][spread(c)];
        out[blockIdx.y * cols + first + c] = total;
    }
}

// out = sums of the columns of x, `rows_per_block` rows at a time: (blocks, cols).
template <class T>
void launch_column_sums(Cuda& cuda, float* out, const T* x, std::int64_t rows, std::int64_t cols,
                        std::int64_t rows_per_block) {
    constexpr int kPack = cuda::Pack<T>::kCount;
    const bool packs = cols % kPack == 0 && cuda::aligned16(x);
    const std::int64_t width = packs ? kPack : 1;
    const cuda::Grid grid{dim3(static_cast<unsigned>(cuda::divide_up(cols, cuda::kWarp * width)),
                               static_cast<unsigned>(cuda::divide_up(rows, rows_per_block))),
                          kThreads};
    cuda::launch(cuda, grid, packs ? column_sums<T, kPack> : column_sums<T, 1>, out, x, rows, cols, rows_per_block);
}

// Two stages: blocks of rows, whose number the shape alone decides, then their sums. Reads x once and 4 bytes for every
// 128 rows or more of a column.
void column_sums(Cuda& cuda, const Tensor& out, const ConstTensor& x) {
    constexpr std::int64_t kRows = 128, kMostBlocks = 4096;
    const std::int64_t rows = x.shape.rows(), cols = x.shape.cols();
    const std::int64_t rows_per_block = std::max(kRows, cuda::divide_up(rows, kMostBlocks));
    const std::int64_t blocks = std::max<std::int64_t>(1, cuda::divide_up(rows, rows_per_block));
    float* sums = cuda::data<float>(out);
    cuda::dispatch(x.dtype, [&]<class T>() {
        if (blocks == 1) {
            launch_column_sums(cuda, sums, cuda::data<T>(x), rows, cols, rows_per_block);
            return;
        }
        float* partials = cuda.scratch<float>(blocks * cols);
        launch_column_sums(cuda, partials, cuda::data<T>(x), rows, cols, rows_per_block);
        launch_column_sums(cuda, sums, static_cast<const float*>(partials), blocks, cols, blocks);
    });
}

bool try_product(Cuda& cuda, const cuda::Product& p) { return cuda.matmuls().try_run(cuda.compute(), p); }
void product(Cuda& cuda, const cuda::Product& p) { cuda.matmuls().run(cuda.compute(), p); }

}  // namespace

void run(Cuda& cuda, const LinearForward& op) {
    const Tensor& z = op.preactivation ? op.preactivation : op.y;
    product(cuda, {.m = op.x.shape.rows(),
                   .n = op.weight.shape.rows(),
                   .k = op.x.shape.cols(),
                   .in = op.x.dtype,
                   .out = z.dtype,
                   .a = {.data = op.x.data},
                   .b = {.data = op.weight.data, .transposed = true},
                   .c = {.data = z.data},
                   .bias = op.bias.data});
    if (op.preactivation) run(cuda, GeluForward{.y = op.y, .x = op.preactivation});
}

void run(Cuda& cuda, const LinearBackwardInput& op) {
    cuda::Product p{.m = op.dy.shape.rows(),
                    .n = op.weight.shape.cols(),
                    .k = op.dy.shape.cols(),
                    .in = op.dy.dtype,
                    .out = op.dx.dtype,
                    .a = {.data = op.dy.data},
                    .b = {.data = op.weight.data},
                    .c = {.data = op.dx.data}};
    if (!op.preactivation) return product(cuda, p);
    if (op.dx.dtype == DType::bf16 && p.n % 8 == 0 && cuda::aligned16(op.preactivation.data)) {
        p.preactivation = op.preactivation.data;
        if (try_product(cuda, p)) return;
        p.preactivation = nullptr;
    }
    product(cuda, p);
    run(cuda, GeluBackward{.dx = op.dx, .dy = op.dx, .x = op.preactivation});
}

void run(Cuda& cuda, const LinearBackwardWeight& op) {
    cuda::Product p{.m = op.dy.shape.cols(),
                    .n = op.x.shape.cols(),
                    .k = op.dy.shape.rows(),
                    .in = op.dy.dtype,
                    .out = DType::f32,
                    .a = {.data = op.dy.data, .transposed = true},
                    .b = {.data = op.x.data},
                    .c = {.data = op.dweight.data},
                    .beta = op.accumulate ? 1.0f : 0.0f};
    p.a_sums = op.dbias.data;
    if (p.a_sums && try_product(cuda, p)) return;
    p.a_sums = nullptr;
    product(cuda, p);
    if (op.dbias) column_sums(cuda, op.dbias, op.dy);
}

}  // namespace steepest
