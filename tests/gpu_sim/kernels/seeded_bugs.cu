// Kernels with one mistake each, which the machine must report.

extern "C" __global__ void missing_barrier(float* y) {
    __shared__ float s[64];
    s[threadIdx.x] = threadIdx.x;
    y[threadIdx.x] = s[63 - threadIdx.x];
}

extern "C" __global__ void missing_syncwarp(float* y) {
    __shared__ float s[32];
    s[threadIdx.x] = threadIdx.x;
    y[threadIdx.x] = s[31 - threadIdx.x];
}

extern "C" __global__ void global_overrun(float* y, int n) { y[threadIdx.x + n] = 1; }

extern "C" __global__ void shared_overrun(float* y, int k) {
    __shared__ float s[32];
    s[threadIdx.x + k] = 1;
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void uninitialised_shared(float* y) {
    __shared__ float s[64];
    if (threadIdx.x < 16) s[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void uninitialised_global(float* y, const float* never) { y[threadIdx.x] = never[threadIdx.x]; }

extern "C" __global__ void wrong_mask(int* y) {
    int x = threadIdx.x;
    if (threadIdx.x < 16) x = __shfl_down_sync(0xffffffffu, x, 1);
    __syncthreads();
    y[threadIdx.x] = x;
}

extern "C" __global__ void divergent_barrier(int* y) {
    if (threadIdx.x < 40) __syncthreads();
    y[threadIdx.x] = 1;
}

extern "C" __global__ void misaligned(float4* y, const float* x) {
    y[threadIdx.x] = *reinterpret_cast<const float4*>(x + 1);
}

extern "C" __global__ void race_of_blocks(int* y) { y[threadIdx.x] = blockIdx.x; }

extern "C" __global__ void endless(volatile int* y) {
    while (*y == 0) {
    }
}

extern "C" __global__ void missing_wait(float4* y, const float4* x) {
    __shared__ float4 s[32];
    const auto to = unsigned(__cvta_generic_to_shared(&s[threadIdx.x]));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\ncp.async.commit_group;" ::"r"(to), "l"(x + threadIdx.x)
                 : "memory");
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];
}
