// A few numbers on the GPU, as many as there are tensors: one block each, since a launch costs more than the work, and
// nothing waits for the host. Sums are in double, in an order that the count decides.
#include "kernels/cuda/tensor_table.h"
#include "ops/step_size.h"

namespace steepest {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) sum_products(float* total, const float* a, const float* b, const float* c,
                                                         std::int64_t count, const float* scale, bool accumulate) {
    const auto at = [](const float* x, std::int64_t i) { return x ? static_cast<double>(x[i]) : 1; };
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += kThreads) sum += at(a, i) * at(b, i) * at(c, i);
    sum = cuda::block_sum_double(sum);
    if (threadIdx.x > 0) return;
    if (scale) sum *= static_cast<double>(*scale);
    *total = static_cast<float>((accumulate ? static_cast<double>(*total) : 0) + sum);
}

__global__ void __launch_bounds__(kThreads)
    dual_lengths(float* lengths, const float* d, std::int64_t count, DualLengths::Form form) {
    using Form = DualLengths::Form;
    __shared__ double shared;
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count && form != Form::own; i += kThreads)
        sum += form == Form::share ? static_cast<double>(d[i]) * static_cast<double>(d[i]) : static_cast<double>(d[i]);
    sum = cuda::block_sum_double(sum);
    if (threadIdx.x == 0) shared = sum;
    __syncthreads();
    const double root = sqrt(shared);
    for (std::int64_t i = threadIdx.x; i < count; i += kThreads)
        lengths[i] = form == Form::own   ? d[i]
                     : form == Form::sum ? static_cast<float>(shared)
                     : root == 0         ? 0
                                         : static_cast<float>(static_cast<double>(d[i]) / root);
}

struct Momo {
    float *factor, *model;
    const float *loss, *gradient_weight, *estimate_weight, *decrease, *beta, *gate;
    float floor;
};

__global__ void momo_factor(const Momo m) {
    if (m.gate && *m.gate == 0) return;
    const double beta = *m.beta, decrease = *m.decrease;
    *m.model = static_cast<float>(beta * static_cast<double>(*m.model) +
                                  (1 - beta) * (static_cast<double>(*m.loss) - static_cast<double>(*m.gradient_weight)));
    const double limit = fmax(0.0, static_cast<double>(*m.model) - static_cast<double>(m.floor) +
                                       static_cast<double>(*m.estimate_weight));
    *m.factor = decrease > limit ? static_cast<float>(limit / decrease) : 1;
}

__global__ void __launch_bounds__(kThreads) choose(float* first, float* second, const float* a, const float* b,
                                                   const float* limits, const float* gains, std::int64_t count) {
    for (std::int64_t i = threadIdx.x; i < count; i += kThreads) {
        const bool yes = a[i] <= limits[i] * b[i];
        first[i] = yes ? gains[i] : 0;
        second[i] = yes ? 0 : 1;
    }
}

__global__ void clipped_length(float* factor, const float* decrease, float largest) {
    *factor = fminf(largest, *decrease);
}

}  // namespace

void run(Cuda& cuda, const SumOfProducts& op) {
    cuda::launch(cuda, {1, kThreads}, sum_products, cuda::data<float>(op.total), cuda::data<float>(op.a),
                 cuda::data<float>(op.b), cuda::data<float>(op.c), op.a.count(), cuda::data<float>(op.scale), op.accumulate);
}

void run(Cuda& cuda, const DualLengths& op) {
    cuda::launch(cuda, {1, kThreads}, dual_lengths, cuda::data<float>(op.lengths), cuda::data<float>(op.d),
                 op.d.count(), op.form);
}

void run(Cuda& cuda, const MomoFactor& op) {
    cuda::launch(cuda, {1, 1}, momo_factor,
                 Momo{.factor = cuda::data<float>(op.factor),
                      .model = cuda::data<float>(op.model),
                      .loss = cuda::data<float>(op.loss),
                      .gradient_weight = cuda::data<float>(op.gradient_weight),
                      .estimate_weight = cuda::data<float>(op.estimate_weight),
                      .decrease = cuda::data<float>(op.decrease),
                      .beta = cuda::data<float>(op.beta),
                      .gate = cuda::data<float>(op.gate),
                      .floor = op.floor});
}

void run(Cuda& cuda, const Choose& op) {
    cuda::launch(cuda, {1, kThreads}, choose, cuda::data<float>(op.first), cuda::data<float>(op.second),
                 cuda::data<float>(op.a), cuda::data<float>(op.b), cuda::data<float>(op.limits),
                 cuda::data<float>(op.gains), op.first.count());
}

void run(Cuda& cuda, const ClippedLength& op) {
    cuda::launch(cuda, {1, 1}, clipped_length, cuda::data<float>(op.factor), cuda::data<float>(op.decrease),
                 op.largest);
}

}  // namespace steepest
