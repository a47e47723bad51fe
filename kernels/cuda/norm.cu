// Sums of tensor lists and the decision of a step, all on the device: nothing waits for the host.
//
// Two stages of sums in double, each in an order that the shapes decide: a block a chunk of 8,192 elements, then the
// chunks' sums. A product of two floats is exact in a double, and double keeps pace with memory where it runs at half
// the rate of float (A100, H100); where it runs at 1/64, it takes about as long as the memory does. The list is read
// once, 4 bytes an element.
#include "kernels/cuda/tensor_table.h"
#include "ops/norm.h"

namespace steepest {

namespace {

constexpr int kTotalThreads = 1024;

struct Squares {
    static constexpr int kArrays = 1;
    __device__ static double add(double sum, double x, double) { return fma(x, x, sum); }
};
struct Products {
    static constexpr int kArrays = 2;
    __device__ static double add(double sum, double x, double y) { return fma(x, y, sum); }
};
struct Roots {
    static constexpr int kArrays = 1;
    __device__ static double add(double sum, double x, double) { return sum + sqrt(x); }
};

template <class Term>
__global__ void __launch_bounds__(cuda::kChunkThreads)
    sum_terms(const __grid_constant__ cuda::TensorTable<Term::kArrays> table, double* sums) {
    const auto chunk = table.chunk(blockIdx.x);
    double sum = 0;
    cuda::each_of_chunk(chunk, [&]<int kCount>(std::int64_t i) {
        const auto x = cuda::load_floats<kCount>(chunk.tensor.data[0], false, i);
        const auto y = cuda::load_floats<kCount>(chunk.tensor.data[Term::kArrays - 1], false, i);
#pragma unroll
        for (int j = 0; j < kCount; ++j)
            sum = Term::add(sum, static_cast<double>(x.values[j]), static_cast<double>(y.values[j]));
    });
    sum = cuda::block_sum_double(sum);
    if (threadIdx.x == 0) sums[chunk.number] = sum;
}

// The chunks' sums of Term over matching lists.
template <class Term>
double* sum_chunks_of_terms(Cuda& cuda, const std::array<const TensorList*, Term::kArrays>& lists) {
    auto* sums = cuda.scratch<double>(cuda::chunks_of(*lists[0]));
    cuda::for_each_table(lists, nullptr, [&](const cuda::TensorTable<Term::kArrays>& table) {
        cuda::launch(cuda, cuda::chunk_grid(table), sum_terms<Term>, table, sums);
    });
    return sums;
}

// total = (total if `accumulate`) + scale * sum of values. One block.
template <class T>
__global__ void __launch_bounds__(kTotalThreads)
    add_up(float* total, const T* values, std::int64_t count, float scale, bool accumulate) {
    double sum = 0;
#pragma unroll 4
    for (std::int64_t i = threadIdx.x; i < count; i += kTotalThreads) sum += static_cast<double>(values[i]);
    sum = cuda::block_sum_double(sum);
    if (threadIdx.x > 0) return;
    *total = static_cast<float>((accumulate ? static_cast<double>(*total) : 0) + static_cast<double>(scale) * sum);
}

template <class T>
void launch_add_up(Cuda& cuda, const Tensor& total, const T* values, std::int64_t count, float scale, bool accumulate) {
    cuda::launch(cuda, {1, kTotalThreads}, add_up<T>, cuda::data<float>(total), values, count, scale, accumulate);
}

struct Decision {
    float *norm, *factor, *ok;
    const float *sum, *loss, *slope, *also_ok[2];
    float max_norm;
};

__global__ void decide(const Decision d) {
    const float slope = d.slope ? *d.slope : 1, norm = fabsf(slope) * sqrtf(*d.sum);
    bool ok = isfinite(*d.sum) && isfinite(*d.loss) && isfinite(slope);
    for (const float* also : d.also_ok) ok = ok && (!also || *also == 1);
    *d.norm = norm;
    *d.factor = slope * (d.max_norm > 0 && norm > d.max_norm ? d.max_norm / norm : 1);
    *d.ok = ok ? 1 : 0;
}

}  // namespace

void run(Cuda& cuda, const SumOfSquares& op) {
    double* sums = sum_chunks_of_terms<Squares>(cuda, {&op.list});
    if (op.sums.count() == 1)
        launch_add_up(cuda, op.sums, sums, cuda::chunks_of(op.list), 1, false);
    else
        cuda::sum_chunks_of(cuda, op.list, sums, cuda::data<float>(op.sums));
}

void run(Cuda& cuda, const Dot& op) {
    cuda::sum_chunks_of(cuda, op.a, sum_chunks_of_terms<Products>(cuda, {&op.a, &op.b}), cuda::data<float>(op.sums));
}

void run(Cuda& cuda, const SumOfRoots& op) {
    cuda::sum_chunks_of(cuda, op.list, sum_chunks_of_terms<Roots>(cuda, {&op.list}), cuda::data<float>(op.sums));
}

void run(Cuda& cuda, const Sum& op) {
    launch_add_up(cuda, op.total, cuda::data<float>(op.values), op.values.count(), op.scale, op.accumulate);
}

void run(Cuda& cuda, const ClipFactor& op) {
    cuda::launch(cuda, {1, 1}, decide,
                 Decision{.norm = cuda::data<float>(op.norm),
                          .factor = cuda::data<float>(op.factor),
                          .ok = cuda::data<float>(op.ok),
                          .sum = cuda::data<float>(op.sum),
                          .loss = cuda::data<float>(op.loss),
                          .slope = cuda::data<float>(op.slope),
                          .also_ok = {cuda::data<float>(op.also_ok[0]), cuda::data<float>(op.also_ok[1])},
                          .max_norm = op.max_norm});
}

}  // namespace steepest
