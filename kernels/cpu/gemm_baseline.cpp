// Micro-kernel and packing for the instruction set that every machine of an architecture has: vectors of 16 bytes.
#include "kernels/cpu/gemm_engine.h"
#include "kernels/cpu/simd.h"

#include <algorithm>

namespace steepest::cpu {
namespace {

typedef float Vector __attribute__((vector_size(16), aligned(4)));

// The sums, one vector of B and one element of A must fit the vector registers: 16 on x86-64, 32 on 64-bit Arm.
#if defined(__aarch64__)
constexpr int kRows = 8, kVectors = 3;
#else
constexpr int kRows = 4, kVectors = 2;
#endif
constexpr int kCols = kVectors * 4;

void multiply_baseline(std::int64_t units, const void* packed_a, const void* packed_b, const Update& u) {
    const float *a = static_cast<const float*>(packed_a), *b = static_cast<const float*>(packed_b);
    Vector sum[kRows][kVectors] = {};
    for (std::int64_t k = 0; k < units; ++k, a += kRows, b += kCols) {
        const auto* row = reinterpret_cast<const Vector*>(b);
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
            for (int j = 0; j < kVectors; ++j) sum[i][j] += a[i] * row[j];
    }
    for (int i = 0; i < u.rows; ++i)
        for (int j = 0; j < u.cols; ++j) {
            float& c = u.c[i * u.stride + j];
            const float product = u.alpha * sum[i][j / 4][j % 4];
            c = u.beta == 0 ? product : u.beta * c + product;
        }
}

// K varies slowest in memory: a step of K is `width` neighbours.
template <class T>
STEEPEST_INLINE void copy_steps(const T* from, std::int64_t k_stride, std::int64_t depth, int filled, int width,
                                float* to) {
    for (std::int64_t k = 0; k < depth; ++k, from += k_stride, to += width) {
        for (int i = 0; i < filled; ++i) to[i] = float(from[i]);
        for (int i = filled; i < width; ++i) to[i] = 0;
    }
}

// K varies fastest in memory: `width` rows are read side by side.
template <class T>
STEEPEST_INLINE void transpose_steps(const T* from, std::int64_t row_stride, std::int64_t depth, int filled, int width,
                                     float* to) {
    for (int i = 0; i < width; ++i) {
        if (i < filled)
            for (std::int64_t k = 0; k < depth; ++k) to[k * width + i] = float(from[i * row_stride + k]);
        else
            for (std::int64_t k = 0; k < depth; ++k) to[k * width + i] = 0;
    }
}

STEEPEST_SIMD void pack_f32(const ConstMatrix& m, int width, void* packed) {
    float* to = static_cast<float*>(packed);
    for (std::int64_t row = 0; row < m.rows; row += width, to += panel_units(width, m.cols)) {
        const int filled = static_cast<int>(std::min<std::int64_t>(width, m.rows - row));
        dispatch_float(m.dtype, [&]<class T>() [[gnu::always_inline]] {
            const T* from = static_cast<const T*>(m.data) + row * m.row_stride;
            if (m.row_stride == 1)
                copy_steps(from, m.col_stride, m.cols, filled, width, to);
            else
                transpose_steps(from, m.row_stride, m.cols, filled, width, to);
        });
    }
}

}  // namespace

const Kernel kBaselineF32{.name = "baseline",
                          .rows = kRows,
                          .cols = kCols,
                          .compute = DType::f32,
                          .block = kMaxBlock,
                          .multiply = multiply_baseline,
                          .pack = pack_f32};

}  // namespace steepest::cpu
