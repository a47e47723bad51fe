// Kernels without mistakes: one feature each, checked against the host.
#include <cstdint>
#include <cuda_bf16.h>

extern "C" __global__ void scale(float* y, const float* x, float factor, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = factor * x[i];
}

// One warp a row.
extern "C" __global__ void row_sums(float* y, const float* x, int C) {
    float sum = 0;
    for (int c = threadIdx.x; c < C; c += 32) sum += x[blockIdx.x * C + c];
    for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// c = a b, square of size n, a multiple of 16; 16 x 16 threads.
extern "C" __global__ void tiled_matmul(float* c, const float* a, const float* b, int n) {
    __shared__ float ta[16][16], tb[16][17];
    const int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < n; k += 16) {
        ta[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
        tb[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
        __syncthreads();
        for (int i = 0; i < 16; ++i) sum += ta[threadIdx.y][i] * tb[i][threadIdx.x];
        __syncthreads();
    }
    c[row * n + column] = sum;
}

extern "C" __global__ void histogram(unsigned* counts, const unsigned* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&counts[x[i] % 8], 1u);
}

// d (16, 8) = a (16, 16) b (16, 8), b stored by rows: cp.async, ldmatrix and mma; one warp.
extern "C" __global__ void tensor_core(float* d, const __nv_bfloat16* a, const __nv_bfloat16* b) {
    __shared__ __align__(16) __nv_bfloat16 sa[16 * 16], sb[16 * 8];
    const unsigned lane = threadIdx.x;
    const auto to_a = unsigned(__cvta_generic_to_shared(sa)), to_b = unsigned(__cvta_generic_to_shared(sb));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to_a + 16 * lane), "l"(a + 8 * lane) : "memory");
    if (lane < 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to_b + 16 * lane), "l"(b + 8 * lane) : "memory");
    }
    asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
    __syncwarp();
    unsigned fa[4], fb[2];
    float fd[4] = {};
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
                 : "r"(to_a + (lane % 16) * 32 + lane / 16 * 16));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(fb[0]), "=r"(fb[1])
                 : "r"(to_b + (lane % 16) * 16));
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(fd[0]), "+f"(fd[1]), "+f"(fd[2]), "+f"(fd[3])
        : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]), "r"(fb[1]));
    const int row = lane / 4, column = lane % 4 * 2;
    d[row * 8 + column] = fd[0], d[row * 8 + column + 1] = fd[1];
    d[(row + 8) * 8 + column] = fd[2], d[(row + 8) * 8 + column + 1] = fd[3];
}

// A block a row of halves; rows of odd length share a word with their neighbours.
extern "C" __global__ void count_rows(unsigned short* y, int width) {
    for (int i = threadIdx.x; i < width; i += blockDim.x) y[blockIdx.x * width + i] += 1;
}
