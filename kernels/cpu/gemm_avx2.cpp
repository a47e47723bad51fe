// Micro-kernel for AVX2: 6 x 16 sums in 12 of 16 registers.
#include "kernels/cpu/gemm_engine.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace steepest::cpu {
namespace {

constexpr int kRows = 6, kCols = 16;

__attribute__((target("avx2,fma"))) void multiply_avx2(std::int64_t units, const void* packed_a, const void* packed_b,
                                                       const Update& u) {
    const float *a = static_cast<const float*>(packed_a), *b = static_cast<const float*>(packed_b);
    __m256 sum[kRows][2];
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) sum[i][0] = sum[i][1] = _mm256_setzero_ps();
    for (std::int64_t k = 0; k < units; ++k, a += kRows, b += kCols) {
        const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
        for (int i = 0; i < kRows; ++i) {
            const __m256 all = _mm256_broadcast_ss(a + i);
            sum[i][0] = _mm256_fmadd_ps(all, b0, sum[i][0]);
            sum[i][1] = _mm256_fmadd_ps(all, b1, sum[i][1]);
        }
    }
    alignas(32) float product[kRows][kCols];
    const __m256 alpha = _mm256_set1_ps(u.alpha);
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) {
        _mm256_store_ps(product[i], _mm256_mul_ps(alpha, sum[i][0]));
        _mm256_store_ps(product[i] + 8, _mm256_mul_ps(alpha, sum[i][1]));
    }
    for (int i = 0; i < u.rows; ++i) {
        float* c = u.c + i * u.stride;
        if (u.beta == 0)
            for (int j = 0; j < u.cols; ++j) c[j] = product[i][j];
        else
            for (int j = 0; j < u.cols; ++j) c[j] = __builtin_fmaf(u.beta, c[j], product[i][j]);
    }
}

}  // namespace

const Kernel kAvx2F32{.name = "avx2",
                      .rows = kRows,
                      .cols = kCols,
                      .compute = DType::f32,
                      .block = kMaxBlock,
                      .multiply = multiply_avx2,
                      .pack = kBaselineF32.pack};

}  // namespace steepest::cpu

#endif
