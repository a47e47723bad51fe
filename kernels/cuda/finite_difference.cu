// One quotient on the GPU, written by one block: a launch costs more than the work, and nothing waits for the host.
#include "kernels/cuda/gpu.h"
#include "ops/finite_difference.h"

namespace steepest {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    divide(float* slopes, std::int64_t count, const float* plus, const float* minus, double distance) {
    const auto slope = static_cast<float>((static_cast<double>(*plus) - static_cast<double>(*minus)) / distance);
    for (std::int64_t i = threadIdx.x; i < count; i += kThreads) slopes[i] = slope;
}

}  // namespace

void run(Cuda& cuda, const FiniteDifference& op) {
    cuda::launch(cuda, {1, kThreads}, divide, cuda::data<float>(op.slopes), op.slopes.count(),
                 cuda::data<float>(op.plus), cuda::data<float>(op.minus), op.distance);
}

}  // namespace steepest
