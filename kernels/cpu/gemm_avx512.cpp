// Micro-kernels and packing for AVX-512, in f32 and, where VDPBF16PS exists, in bf16. Both hold 8 x 48 sums in 24
// registers: 11 loads feed 24 multiply-adds, so the arithmetic is the limit (99 % of peak was measured).
//
// Packing moves units of 4 bytes (one f32 or two bf16 that are neighbours along K), 16 rows at a time.
#include "kernels/cpu/gemm_engine.h"

#if defined(__x86_64__)

#include <algorithm>
#include <immintrin.h>

// g++ 12 takes the undefined registers inside its own intrinsics for mistakes of ours.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

// One target for all: nothing here uses a bf16 instruction but what names it, and that kernel is chosen only where it
// runs.
#define STEEPEST_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define STEEPEST_AVX512_INLINE STEEPEST_AVX512 __attribute__((always_inline)) inline

namespace steepest::cpu {
namespace {

constexpr int kRows = 8, kVectors = 3, kCols = 16 * kVectors;

// ---- micro-kernels

template <bool bf16_pairs>
STEEPEST_AVX512_INLINE __m512 multiply_add(__m512 sum, std::uint32_t a, __m512i b) {
    const __m512i all = _mm512_set1_epi32(static_cast<int>(a));
    if constexpr (bf16_pairs)
        return _mm512_dpbf16_ps(sum, (__m512bh)all, (__m512bh)b);
    else
        return _mm512_fmadd_ps(_mm512_castsi512_ps(all), _mm512_castsi512_ps(b), sum);
}

template <bool bf16_pairs>
STEEPEST_AVX512_INLINE void multiply_block(std::int64_t units, const void* packed_a, const void* packed_b,
                                           const Update& u) {
    const auto* a = static_cast<const std::uint32_t*>(packed_a);
    const auto* b = static_cast<const std::uint32_t*>(packed_b);
    for (int i = 0; i < u.rows; ++i)
        for (int j = 0; j < kVectors; ++j) _mm_prefetch(u.c + i * u.stride + j * 16, _MM_HINT_T0);
    __m512 sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 3
        for (int j = 0; j < kVectors; ++j) sum[i][j] = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < units; ++k, a += kRows, b += kCols) {
        const __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 16), b2 = _mm512_loadu_si512(b + 32);
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i) {
            sum[i][0] = multiply_add<bf16_pairs>(sum[i][0], a[i], b0);
            sum[i][1] = multiply_add<bf16_pairs>(sum[i][1], a[i], b1);
            sum[i][2] = multiply_add<bf16_pairs>(sum[i][2], a[i], b2);
        }
    }
    __mmask16 mask[kVectors];
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) mask[j] = static_cast<__mmask16>((1u << std::clamp(u.cols - 16 * j, 0, 16)) - 1);
    const __m512 alpha = _mm512_set1_ps(u.alpha), beta = _mm512_set1_ps(u.beta);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
        if (i >= u.rows) break;
#pragma GCC unroll 3
        for (int j = 0; j < kVectors; ++j) {
            float* c = u.c + i * u.stride + j * 16;
            __m512 value = _mm512_mul_ps(alpha, sum[i][j]);
            if (u.beta != 0) value = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(mask[j], c), value);
            _mm512_mask_storeu_ps(c, mask[j], value);
        }
    }
}

STEEPEST_AVX512 void multiply_f32(std::int64_t units, const void* a, const void* b, const Update& u) {
    multiply_block<false>(units, a, b, u);
}
STEEPEST_AVX512 void multiply_bf16(std::int64_t units, const void* a, const void* b, const Update& u) {
    multiply_block<true>(units, a, b, u);
}

// ---- packing

// Where 16 units of one step of K go: one part of a panel of 48, or two panels of 8.
struct Target {
    std::uint32_t *low, *high;
    int width;

    Target(void* packed, std::int64_t row, int panel, std::int64_t units) : width(panel) {
        const auto at = [&](std::int64_t r) {
            return static_cast<std::uint32_t*>(packed) + r / panel * panel * units + r % panel;
        };
        low = at(row), high = at(row + 8);
    }
    STEEPEST_AVX512_INLINE void store(std::int64_t step, __m512i values) const {
        if (width == kCols) {
            _mm512_storeu_si512(low + step * width, values);
        } else {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(low + step * width), _mm512_castsi512_si256(values));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(high + step * width), _mm512_extracti64x4_epi64(values, 1));
        }
    }
};

STEEPEST_AVX512_INLINE void transpose(__m512i (&r)[16]) {
    __m512i t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // r[4 q + c] holds in its lane l column 4 l + c of rows 4 q to 4 q + 3.
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
        const __m512i even0 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88),
                      odd0 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xdd);
        const __m512i even1 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88),
                      odd1 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xdd);
        t[c] = _mm512_shuffle_i32x4(even0, even1, 0x88), t[8 + c] = _mm512_shuffle_i32x4(even0, even1, 0xdd);
        t[4 + c] = _mm512_shuffle_i32x4(odd0, odd1, 0x88), t[12 + c] = _mm512_shuffle_i32x4(odd0, odd1, 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) r[i] = t[i];
}

// The first n halves of 2 bytes of a vector; the rest is neither read nor anything but zero.
STEEPEST_AVX512_INLINE __m512i load_halves(const char* from, std::int64_t n) {
    const std::int64_t count = std::clamp<std::int64_t>(n, 0, 32);
    return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((std::uint64_t{1} << count) - 1), from);
}

// K varies fastest in memory: 16 rows x 16 units at a time are transposed in registers.
STEEPEST_AVX512_INLINE void pack_rows(const ConstMatrix& m, std::int64_t units, int width, void* packed) {
    const std::int64_t halves = m.cols * size_of(m.dtype) / 2, stride = m.row_stride * size_of(m.dtype);
    const std::int64_t padded = (m.rows + width - 1) / width * width;
    for (std::int64_t row = 0; row < padded; row += 16) {
        const Target target(packed, row, width, units);
        const char* from = static_cast<const char*>(m.data) + row * stride;
        const int filled = static_cast<int>(std::clamp<std::int64_t>(m.rows - row, 0, 16));
        for (std::int64_t step = 0; step < units; step += 16) {
            __m512i r[16];
            if (filled == 16 && halves - 2 * step >= 32) {
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(from + i * stride + step * 4);
                transpose(r);
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i) target.store(step + i, r[i]);
            } else {
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i)
                    r[i] = i < filled ? load_halves(from + i * stride + step * 4, halves - 2 * step) : __m512i{};
                transpose(r);
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i)
                    if (step + i < units) target.store(step + i, r[i]);
            }
        }
    }
}

// Units `step` of 16 rows where K varies slowest in memory: neighbours in memory, or two such rows interleaved.
template <bool bf16_pairs>
STEEPEST_AVX512_INLINE __m512i load_step(const char* from, std::int64_t stride, __mmask16 mask, bool both) {
    if constexpr (bf16_pairs) {
        const __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
        if (!both) return first;
        const __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from + stride));
        return _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
    } else {
        return _mm512_maskz_loadu_epi32(mask, from);
    }
}

// K varies slowest in memory. 48 rows at a time, so that whole cache lines are read and few streams are written.
template <bool bf16_pairs>
STEEPEST_AVX512_INLINE void pack_steps(const ConstMatrix& m, std::int64_t units, int width, void* packed) {
    constexpr int kPair = bf16_pairs ? 2 : 1;
    const std::int64_t size = size_of(m.dtype), stride = m.col_stride * size;
    const std::int64_t padded = (m.rows + width - 1) / width * width;
    for (std::int64_t row = 0; row < padded; row += kCols) {
        const Target target[kVectors] = {
            {packed, row, width, units}, {packed, row + 16, width, units}, {packed, row + 32, width, units}};
        const int groups = static_cast<int>(std::min<std::int64_t>((padded - row + 15) / 16, kVectors));
        __mmask16 mask[kVectors];
        for (int g = 0; g < kVectors; ++g)
            mask[g] = static_cast<__mmask16>((1u << std::clamp<std::int64_t>(m.rows - row - 16 * g, 0, 16)) - 1);
        const char* from = static_cast<const char*>(m.data) + row * size;
        for (std::int64_t step = 0; step < units; ++step, from += kPair * stride)
            for (int g = 0; g < groups; ++g)
                target[g].store(
                    step, load_step<bf16_pairs>(from + g * 16 * size, stride, mask[g], kPair * step + 1 < m.cols));
    }
}

STEEPEST_AVX512 void pack_f32(const ConstMatrix& m, int width, void* packed) {
    if (m.dtype != DType::f32) return kBaselineF32.pack(m, width, packed);
    if (m.row_stride == 1)
        pack_steps<false>(m, m.cols, width, packed);
    else
        pack_rows(m, m.cols, width, packed);
}

STEEPEST_AVX512 void pack_bf16(const ConstMatrix& m, int width, void* packed) {
    if (m.row_stride == 1)
        pack_steps<true>(m, (m.cols + 1) / 2, width, packed);
    else
        pack_rows(m, (m.cols + 1) / 2, width, packed);
}

}  // namespace

const Kernel kAvx512F32{.name = "avx512",
                        .rows = kRows,
                        .cols = kCols,
                        .compute = DType::f32,
                        .block = 192,
                        .multiply = multiply_f32,
                        .pack = pack_f32};
const Kernel kAvx512Bf16{.name = "avx512_bf16",
                         .rows = kRows,
                         .cols = kCols,
                         .compute = DType::bf16,
                         .block = 192,
                         .multiply = multiply_bf16,
                         .pack = pack_bf16};

}  // namespace steepest::cpu

#endif
