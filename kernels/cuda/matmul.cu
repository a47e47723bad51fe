// The linear layer on the GPU: products by cuBLASLt, and what it cannot do as the ops ask for it.
//
// Results in f32 from any operands, and results in bf16 with nothing behind the product, are written by cuBLASLt at
// once; f32 biases of f32 results are its epilogue.
//
// A bf16 result with a bias or a gelu' is not: cuBLASLt adds a bias of the result's type only, so it would round an f32
// bias to 8 bits; says nowhere how exact its gelu is; and takes gelu of z before z is rounded, where the op asks for
// gelu of what the backward pass will see. So the product goes to scratch in f32, in chunks of rows that stay in the
// second-level cache (kChunkBytes), and a kernel finishes the chunk: bias, rounding, gelu. Memory sees what it would
// see with an ideal epilogue: 2 bytes an element of each result, and 2 of the preactivation that gelu' reads. The cache
// sees 8 bytes an element more: 1.5 ps at an H100's 5.5 TB/s, against 2.6 ps for the product at C = 768 and 600
// TFLOP/s, and less beside longer rows. Against cuBLASLt and a pass for gelu, which would read and write 4 themselves,
// it is 4 more.
//
// Preactivation and y without gelu come from the same products in the same chunks, so they are the same bytes.
//
// The bias gradient reads dy once more: 2 N O bytes, against 2 N O C flops of the weight gradient.
#include "kernels/cuda/gelu.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/matmuls.h"
#include "ops/gelu.h"
#include "ops/matmul.h"

#include <algorithm>

namespace steepest {
namespace {

using BF16 = __nv_bfloat16;

constexpr int kThreads = 256;
// A third of the smallest second-level cache among data-centre GPUs (40 MB, A100): the results pass through it too.
constexpr std::int64_t kChunkBytes = std::int64_t{16} << 20;
// Rows of a chunk: a multiple of the largest tile of a product.
constexpr std::int64_t kTileRows = 256;

// --- the ends of a chunk

// kWidth consecutive elements, whose address is a multiple of their size.
template <int kWidth, class T>
struct alignas(kWidth * sizeof(T)) Elements {
    T values[kWidth];
    __device__ T& operator[](int i) { return values[i]; }
    __device__ const T& operator[](int i) const { return values[i]; }
};
template <int kWidth>
__device__ Elements<kWidth, float> load_floats(const float* from) {
    Elements<kWidth, float> out;
    if constexpr (kWidth == 1) {
        out[0] = *from;
    } else {
#pragma unroll
        for (int at = 0; at < kWidth; at += 4) {
            const auto pack = cuda::load_pack(from + at);
#pragma unroll
            for (int j = 0; j < 4; ++j) out[at + j] = pack[j];
        }
    }
    return out;
}
template <int kWidth>
__device__ Elements<kWidth, BF16> load_halves(const BF16* from) {
    Elements<kWidth, BF16> out;
    if constexpr (kWidth == 1) {
        out[0] = *from;
    } else {
        const auto pack = cuda::load_pack(from);
#pragma unroll
        for (int j = 0; j < kWidth; ++j) out[j] = pack[j];
    }
    return out;
}
template <int kWidth>
__device__ void store(BF16* to, const Elements<kWidth, BF16>& values) {
    if constexpr (kWidth == 1) {
        *to = values[0];
    } else {
        cuda::Pack<BF16> pack;
#pragma unroll
        for (int j = 0; j < kWidth; ++j) pack[j] = values[j];
        cuda::store_pack(to, pack);
    }
}

// y = z + bias; or, with a preactivation, preactivation = z + bias and y = gelu of it as rounded. All (rows, cols),
// dense; bias (cols) or null. kWidth: 8 where cols is a multiple of it and everything is aligned to 16 bytes, else 1.
template <int kWidth>
__global__ void finish_forward(BF16* y, BF16* preactivation, const float* z, const float* bias, std::int64_t count,
                               std::int64_t cols) {
    const std::int64_t i = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) * kWidth;
    if (i >= count) return;
    auto value = load_floats<kWidth>(z + i);
    if (bias) {
        // A chunk has fewer than 2^32 elements, and 64-bit remainders cost 10 times as much.
        const unsigned col = static_cast<unsigned>(i) % static_cast<unsigned>(cols);
        const auto b = load_floats<kWidth>(bias + col);
#pragma unroll
        for (int j = 0; j < kWidth; ++j) value[j] += b[j];
    }
    Elements<kWidth, BF16> out;
#pragma unroll
    for (int j = 0; j < kWidth; ++j) out[j] = __float2bfloat16_rn(value[j]);
    if (preactivation) {
        store<kWidth>(preactivation + i, out);
#pragma unroll
        for (int j = 0; j < kWidth; ++j) out[j] = __float2bfloat16_rn(cuda::gelu(__bfloat162float(out[j])));
    }
    store<kWidth>(y + i, out);
}

// dx = z, times gelu'(preactivation) if that is not null.
template <int kWidth>
__global__ void finish_backward(BF16* dx, const BF16* preactivation, const float* z, std::int64_t count) {
    const std::int64_t i = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) * kWidth;
    if (i >= count) return;
    auto value = load_floats<kWidth>(z + i);
    if (preactivation) {
        const auto x = load_halves<kWidth>(preactivation + i);
#pragma unroll
        for (int j = 0; j < kWidth; ++j) value[j] *= cuda::gelu_derivative(__bfloat162float(x[j]));
    }
    Elements<kWidth, BF16> out;
#pragma unroll
    for (int j = 0; j < kWidth; ++j) out[j] = __float2bfloat16_rn(value[j]);
    store<kWidth>(dx + i, out);
}

// Calls f.template operator()<kWidth>() with what the columns and the pointers allow.
template <class F, class... Pointers>
void with_width(std::int64_t cols, F&& f, const Pointers*... pointers) {
    if (cols % 8 == 0 && (cuda::aligned16(pointers) && ...))
        f.template operator()<8>();
    else
        f.template operator()<1>();
}

unsigned blocks_for(std::int64_t threads) { return static_cast<unsigned>(cuda::divide_up(threads, kThreads)); }

// Calls f(first row, rows) for chunks of about equal size of a matrix in f32 that fit kChunkBytes, but never less than
// a row. The shape alone decides where they end.
template <class F>
void each_chunk(std::int64_t rows, std::int64_t cols, F&& f) {
    if (rows == 0) return;
    const std::int64_t fit = std::max<std::int64_t>(1, kChunkBytes / (cols * 4));
    std::int64_t length = cuda::divide_up(rows, cuda::divide_up(rows, fit));
    if (fit >= kTileRows) length = std::min(cuda::divide_up(length, kTileRows), fit / kTileRows) * kTileRows;
    for (std::int64_t at = 0; at < rows; at += length) f(at, std::min(length, rows - at));
}
std::int64_t chunk_rows(std::int64_t rows, std::int64_t cols) {
    std::int64_t most = 0;
    each_chunk(rows, cols, [&](std::int64_t, std::int64_t length) { most = std::max(most, length); });
    return most;
}

// --- sums of columns

// One block sums `rows_per_block` rows of kWidth * 32 columns: each warp every eighth row, then the warps in order.
constexpr int kWarps = kThreads / cuda::kWarp;

template <class T, int kWidth>
__global__ void column_sums(float* out, const T* x, std::int64_t rows, std::int64_t cols, std::int64_t rows_per_block,
                            bool accumulate) {
    __shared__ float partial[kWarps][cuda::kWarp * kWidth];
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
    for (int j = 0; j < kWidth; ++j) partial[warp][lane * kWidth + j] = sum[j];
    __syncthreads();
    for (int c = threadIdx.x; c < cuda::kWarp * kWidth && first + c < cols; c += kThreads) {
        float* to = out + blockIdx.y * cols + first + c;
        float total = accumulate ? *to : 0.0f;
        for (int w = 0; w < kWarps; ++w) total += partial[w][c];
        *to = total;
    }
}

// out (+)= sums of the columns of x, `rows_per_block` rows at a time: (blocks, cols).
template <class T>
void launch_column_sums(Cuda& cuda, float* out, const T* x, std::int64_t rows, std::int64_t cols,
                        std::int64_t rows_per_block, bool accumulate) {
    constexpr int kPack = cuda::Pack<T>::kCount;
    const bool packs = cols % kPack == 0 && cuda::aligned16(x);
    const std::int64_t width = packs ? kPack : 1;
    const cuda::Grid grid{dim3(static_cast<unsigned>(cuda::divide_up(cols, cuda::kWarp * width)),
                               static_cast<unsigned>(cuda::divide_up(rows, rows_per_block))),
                          kThreads};
    cuda::launch(cuda, grid, packs ? column_sums<T, kPack> : column_sums<T, 1>, out, x, rows, cols, rows_per_block,
                 accumulate);
}

// Two stages: blocks of rows, whose number the shape alone decides, then their sums. Reads x once and 4 bytes for every
// 128 rows or more of a column.
void column_sums(Cuda& cuda, const Tensor& out, const ConstTensor& x, bool accumulate) {
    constexpr std::int64_t kRows = 128, kMostBlocks = 4096;
    const std::int64_t rows = x.shape.rows(), cols = x.shape.cols();
    const std::int64_t rows_per_block = std::max(kRows, cuda::divide_up(rows, kMostBlocks));
    const std::int64_t blocks = std::max<std::int64_t>(1, cuda::divide_up(rows, rows_per_block));
    float* sums = cuda::data<float>(out);
    cuda::dispatch(x.dtype, [&]<class T>() {
        if (blocks == 1) {
            launch_column_sums(cuda, sums, cuda::data<T>(x), rows, cols, rows_per_block, accumulate);
            return;
        }
        float* partials = cuda.scratch<float>(blocks * cols);
        launch_column_sums(cuda, partials, cuda::data<T>(x), rows, cols, rows_per_block, false);
        launch_column_sums(cuda, sums, static_cast<const float*>(partials), blocks, cols, blocks, accumulate);
    });
}

void product(Cuda& cuda, const cuda::Product& p) { cuda.matmuls().run(cuda.compute(), p); }

// z (rows, O) = x weight^T for rows of x from `first` on.
cuda::Product forward_product(const LinearForward& op, void* z, DType out, std::int64_t first, std::int64_t rows) {
    return {.m = rows,
            .n = op.weight.shape.rows(),
            .k = op.x.shape.cols(),
            .in = op.x.dtype,
            .out = out,
            .a = {.data = op.x.rows(first, rows).data},
            .b = {.data = op.weight.data, .transposed = true},
            .c = {.data = z}};
}

cuda::Product backward_product(const LinearBackwardInput& op, void* dx, DType out, std::int64_t first,
                               std::int64_t rows) {
    return {.m = rows,
            .n = op.weight.shape.cols(),
            .k = op.dy.shape.cols(),
            .in = op.dy.dtype,
            .out = out,
            .a = {.data = op.dy.rows(first, rows).data},
            .b = {.data = op.weight.data},
            .c = {.data = dx}};
}

void forward_in_chunks(Cuda& cuda, const LinearForward& op) {
    const std::int64_t N = op.x.shape.rows(), O = op.weight.shape.rows();
    const auto* bias = cuda::data<float>(op.bias);
    float* z = cuda.scratch<float>(chunk_rows(N, O) * O);
    each_chunk(N, O, [&](std::int64_t first, std::int64_t rows) {
        product(cuda, forward_product(op, z, DType::f32, first, rows));
        auto* y = cuda::data<BF16>(op.y) + first * O;
        auto* kept = op.preactivation ? cuda::data<BF16>(op.preactivation) + first * O : nullptr;
        with_width(
            O,
            [&]<int kWidth>() {
                cuda::launch(cuda, {blocks_for(cuda::divide_up(rows * O, kWidth)), kThreads}, finish_forward<kWidth>, y,
                             kept, z, bias, rows * O, O);
            },
            y, kept, z, bias);
    });
}

void backward_in_chunks(Cuda& cuda, const LinearBackwardInput& op) {
    const std::int64_t N = op.dy.shape.rows(), C = op.weight.shape.cols();
    float* z = cuda.scratch<float>(chunk_rows(N, C) * C);
    each_chunk(N, C, [&](std::int64_t first, std::int64_t rows) {
        product(cuda, backward_product(op, z, DType::f32, first, rows));
        auto* dx = cuda::data<BF16>(op.dx) + first * C;
        const auto* x = op.preactivation ? cuda::data<BF16>(op.preactivation) + first * C : nullptr;
        with_width(
            C,
            [&]<int kWidth>() {
                cuda::launch(cuda, {blocks_for(cuda::divide_up(rows * C, kWidth)), kThreads}, finish_backward<kWidth>,
                             dx, x, z, rows * C);
            },
            dx, x, z);
    });
}

}  // namespace

void run(Cuda& cuda, const LinearForward& op) {
    // cuBLASLt has no bf16 result of f32 operands either.
    if (op.y.dtype == DType::bf16 && (op.bias || op.x.dtype == DType::f32)) return forward_in_chunks(cuda, op);
    const Tensor& z = op.preactivation ? op.preactivation : op.y;
    cuda::Product p = forward_product(op, z.data, z.dtype, 0, op.x.shape.rows());
    p.bias = op.bias.data;
    product(cuda, p);
    if (op.preactivation) run(cuda, GeluForward{.y = op.y, .x = op.preactivation});
}

void run(Cuda& cuda, const LinearBackwardInput& op) {
    if (op.dx.dtype == DType::bf16 && (op.preactivation || op.dy.dtype == DType::f32))
        return backward_in_chunks(cuda, op);
    product(cuda, backward_product(op, op.dx.data, op.dx.dtype, 0, op.dy.shape.rows()));
    if (op.preactivation) run(cuda, GeluBackward{.dx = op.dx, .dy = op.dx, .x = op.preactivation});
}

void run(Cuda& cuda, const LinearBackwardWeight& op) {
    product(cuda, {.m = op.dy.shape.cols(),
                   .n = op.x.shape.cols(),
                   .k = op.dy.shape.rows(),
                   .in = op.dy.dtype,
                   .out = DType::f32,
                   .a = {.data = op.dy.data, .transposed = true},
                   .b = {.data = op.x.data},
                   .c = {.data = op.dweight.data},
                   .beta = op.accumulate ? 1.0f : 0.0f});
    if (op.dbias) column_sums(cuda, op.dbias, op.dy, op.accumulate);
}

}  // namespace steepest
