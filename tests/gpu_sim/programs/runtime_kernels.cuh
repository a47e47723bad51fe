#pragma once
// Launches for test_runtime_launch.cpp, which a host compiler builds.
#include <cuda_runtime_api.h>

// y[i] += a * x[i], as <<<>>>.
void launch_axpy(float* y, const float* x, float a, int n, cudaStream_t);
// Writes one element past n.
void launch_overrun(float* y, int n);
void launch_bounded(int threads);  // __launch_bounds__(64)
void launch_shared(float* y, unsigned bytes, cudaStream_t);
cudaError_t raise_shared(unsigned bytes);
cudaError_t set_factor(float value);  // of launch_scale, a __constant__
void launch_scale(float* y, int n, cudaStream_t);
const void* axpy_kernel();
