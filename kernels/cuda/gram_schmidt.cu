// Gram-Schmidt on the GPU, a block of 1024 threads a matrix: for each row a warp takes the inner product with one of
// the rows before, at most 31 of them, then all threads subtract. The rows of a panel, up to 32 x 12288 floats, come
// from L2 again and again: 4 bytes for each of the 4 rows^2 cols / 2 flops, twice. It is the short part of a
// factorisation whose products are Multiply's; several matrices, a block each, hide its latency.
#include "kernels/cuda/tensor_table.h"
#include "ops/gram_schmidt.h"

namespace steepest {

namespace {

constexpr int kThreads = 1024;

// With a second block a multiprocessor in mind, ptxas would spill.
__global__ void __launch_bounds__(kThreads, 1)
    orthonormalize(const __grid_constant__ cuda::TensorTable<1> table, const float* gate) {
    __shared__ double parts[cuda::kWarp];
    __shared__ float inverse;
    if (gate && *gate == 0) return;
    const auto& tensor = table.entries[blockIdx.x];
    float* data = static_cast<float*>(tensor.data[0]);
    const int rows = static_cast<int>(tensor.factor);
    const std::int64_t cols = rows == 0 ? 0 : tensor.count / rows;
    const int warp = threadIdx.x / cuda::kWarp, lane = threadIdx.x % cuda::kWarp;

    for (int i = 0; i < rows; ++i) {
        float* row = data + i * cols;
        for (int pass = 0; pass < 2; ++pass) {
            if (warp < i) {
                const float* before = data + warp * cols;
                double sum = 0;
                for (std::int64_t c = lane; c < cols; c += cuda::kWarp)
                    sum = fma(static_cast<double>(before[c]), static_cast<double>(row[c]), sum);
                for (int other = cuda::kWarp / 2; other > 0; other /= 2)
                    sum += __shfl_xor_sync(cuda::kAllLanes, sum, other);
                if (lane == 0) parts[warp] = sum;
            }
            __syncthreads();
            for (std::int64_t c = threadIdx.x; c < cols; c += kThreads) {
                float value = row[c];
                for (int k = 0; k < i; ++k) value = fmaf(-static_cast<float>(parts[k]), data[k * cols + c], value);
                row[c] = value;
            }
            __syncthreads();
        }
        double squares = 0;
        for (std::int64_t c = threadIdx.x; c < cols; c += kThreads)
            squares = fma(static_cast<double>(row[c]), static_cast<double>(row[c]), squares);
        squares = cuda::block_sum_double(squares);
        if (threadIdx.x == 0) inverse = squares == 0 ? 0 : static_cast<float>(1 / sqrt(squares));
        __syncthreads();
        for (std::int64_t c = threadIdx.x; c < cols; c += kThreads) row[c] *= inverse;
        __syncthreads();
    }
}

}  // namespace

void run(Cuda& cuda, const GramSchmidt& op) {
    std::vector<float> rows;
    for (const Tensor& t : op.x) rows.push_back(static_cast<float>(t.shape.rows()));
    cuda::for_each_table(std::array{&op.x}, rows.data(), [&](const cuda::TensorTable<1>& table) {
        cuda::launch(cuda, {static_cast<unsigned>(table.size), kThreads}, orthonormalize, table,
                     cuda::data<float>(op.gate));
    });
}

}  // namespace steepest
