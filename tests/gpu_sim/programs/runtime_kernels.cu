// Kernels of test_runtime_launch.cpp, launched as programs do.
#include "tests/gpu_sim/programs/runtime_kernels.cuh"

namespace {

__constant__ float factor;

template <class T>
__global__ void axpy(T* y, const T* x, T a, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}

__global__ void overrun(float* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n) y[i] = 1;
}

__global__ void __launch_bounds__(64) bounded() {}

__global__ void reversed(float* y, unsigned n) {
    extern __shared__ float buffer[];
    for (unsigned i = threadIdx.x; i < n; i += blockDim.x) buffer[i] = float(i);
    __syncthreads();
    for (unsigned i = threadIdx.x; i < n; i += blockDim.x) y[i] = buffer[n - 1 - i];
}

__global__ void scale(float* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] *= factor;
}

}  // namespace

void launch_axpy(float* y, const float* x, float a, int n, cudaStream_t stream) {
    axpy<float><<<(n + 127) / 128, 128, 0, stream>>>(y, x, a, n);
}
void launch_overrun(float* y, int n) { overrun<<<1, 128>>>(y, n); }
void launch_bounded(int threads) { bounded<<<1, threads>>>(); }
void launch_shared(float* y, unsigned bytes, cudaStream_t stream) { reversed<<<1, 128, bytes, stream>>>(y, bytes / 4); }
cudaError_t raise_shared(unsigned bytes) {
    return cudaFuncSetAttribute(reversed, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes));
}
cudaError_t set_factor(float value) { return cudaMemcpyToSymbol(factor, &value, sizeof value); }
void launch_scale(float* y, int n, cudaStream_t stream) { scale<<<(n + 63) / 64, 64, 0, stream>>>(y, n); }
const void* axpy_kernel() { return reinterpret_cast<const void*>(axpy<float>); }
