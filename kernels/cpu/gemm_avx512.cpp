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

// The first `vectors` x 16 columns of a panel of 48.
template <bool bf16_pairs, int vectors>
STEEPEST_AVX512_INLINE void multiply_part(std::int64_t units, const void* packed_a, const void* packed_b,
                                          const Update& u) {
    const auto* a = static_cast<const std::uint32_t*>(packed_a);
    const auto* b = static_cast<const std::uint32_t*>(packed_b);
    for (int i = 0; i < u.rows; ++i)
        for (int j = 0; j < vectors; ++j) _mm_prefetch(u.c + i * u.stride + j * 16, _MM_HINT_T0);
    __m512 sum[kRows][vectors];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 3
        for (int j = 0; j < vectors; ++j) sum[i][j] = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < units; ++k, a += kRows, b += kCols) {
        __m512i row[vectors];
#pragma GCC unroll 3
        for (int j = 0; j < vectors; ++j) row[j] = _mm512_loadu_si512(b + 16 * j);
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 3
            for (int j = 0; j < vectors; ++j) sum[i][j] = multiply_add<bf16_pairs>(sum[i][j], a[i], row[j]);
    }
    __mmask16 mask[vectors];
#pragma GCC unroll 3
    for (int j = 0; j < vectors; ++j) mask[j] = static_cast<__mmask16>((1u << std::clamp(u.cols - 16 * j, 0, 16)) - 1);
    const __m512 alpha = _mm512_set1_ps(u.alpha), beta = _mm512_set1_ps(u.beta);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
        if (i >= u.rows) break;
#pragma GCC unroll 3
        for (int j = 0; j < vectors; ++j) {
            float* c = u.c + i * u.stride + j * 16;
            __m512 value = _mm512_mul_ps(alpha, sum[i][j]);
            if (u.beta != 0) value = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(mask[j], c), value);
            _mm512_mask_storeu_ps(c, mask[j], value);
        }
    }
}

template <bool bf16_pairs>
STEEPEST_AVX512_INLINE void multiply_block(std::int64_t units, const void* a, const void* b, const Update& u) {
    if (u.cols > 32)
        multiply_part<bf16_pairs, 3>(units, a, b, u);
    else if (u.cols > 16)
        multiply_part<bf16_pairs, 2>(units, a, b, u);
    else
        multiply_part<bf16_pairs, 1>(units, a, b, u);
}

STEEPEST_AVX512 void multiply_f32(std::int64_t units, const void* a, const void* b, const Update& u) {
    multiply_block<false>(units, a, b, u);
}
STEEPEST_AVX512 void multiply_bf16(std::int64_t units, const void* a, const void* b, const Update& u) {
    multiply_block<true>(units, a, b, u);
}

// ---- packing

// Where 16 rows of a step go: one part of a panel of 48, or two panels of 8.
struct Target {
    std::uint32_t *low, *high;
};

STEEPEST_AVX512_INLINE Target target_of(std::int64_t row, int width, std::int64_t units, void* packed) {
    const auto at = [&](std::int64_t r) {
        return static_cast<std::uint32_t*>(packed) + r / width * panel_units(width, units) + r % width;
    };
    return {at(row), at(row + 8)};
}

template <int width>
STEEPEST_AVX512_INLINE void store(const Target& target, std::int64_t step, __m512i values) {
    if constexpr (width == kCols) {
        _mm512_storeu_si512(target.low + step * width, values);
    } else {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(target.low + step * width), _mm512_castsi512_si256(values));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(target.high + step * width),
                            _mm512_extracti64x4_epi64(values, 1));
    }
}

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

// K varies fastest in memory: 16 rows x 16 units at a time are transposed in registers. The next 16 rows are asked for
// meanwhile.
template <int width>
STEEPEST_AVX512_INLINE void pack_rows(const ConstMatrix& m, std::int64_t units, void* packed) {
    const std::int64_t halves = m.cols * size_of(m.dtype) / 2, stride = m.row_stride * size_of(m.dtype);
    const std::int64_t padded = (m.rows + width - 1) / width * width;
    for (std::int64_t row = 0; row < padded; row += 16) {
        const Target target = target_of(row, width, units, packed);
        const char* from = static_cast<const char*>(m.data) + row * stride;
        const int filled = static_cast<int>(std::clamp<std::int64_t>(m.rows - row, 0, 16));
        for (std::int64_t step = 0; step < units; step += 16) {
            __m512i r[16];
            if (filled == 16 && halves - 2 * step >= 32) {
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i) {
                    r[i] = _mm512_loadu_si512(from + i * stride + step * 4);
                    _mm_prefetch(from + (16 + i) * stride + step * 4, _MM_HINT_T0);
                }
                transpose(r);
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i) store<width>(target, step + i, r[i]);
            } else {
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i)
                    r[i] = i < filled ? load_halves(from + i * stride + step * 4, halves - 2 * step) : __m512i{};
                transpose(r);
#pragma GCC unroll 16
                for (int i = 0; i < 16; ++i)
                    if (step + i < units) store<width>(target, step + i, r[i]);
            }
        }
    }
}

// 32 columns of two neighbours along K become 32 units.
STEEPEST_AVX512_INLINE void interleave(__m512i first, __m512i second, __m512i (&units)[2]) {
    const __m512i order = _mm512_or_si512(
        _mm512_cvtepu16_epi32(_mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)),
        _mm512_slli_epi32(
            _mm512_cvtepu16_epi32(_mm256_setr_epi16(32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47)),
            16));
    units[0] = _mm512_permutex2var_epi16(first, order, second);
    units[1] = _mm512_permutex2var_epi16(first, _mm512_add_epi16(order, _mm512_set1_epi16(16)), second);
}

// K varies slowest in memory: each step reads a whole row of memory, which prefetchers follow, and writes to every
// panel.
template <int width, bool bf16_pairs>
STEEPEST_AVX512_INLINE void pack_steps(const ConstMatrix& m, std::int64_t units, void* packed) {
    constexpr std::int64_t kMaxGroups = (std::max(kMaxTileRows, kMaxTileCols) + kCols) / 16 + 2;
    constexpr std::int64_t kAhead = 8;
    Target target[kMaxGroups];
    const std::int64_t padded = (m.rows + width - 1) / width * width, groups = (padded + 15) / 16;
    for (std::int64_t g = 0; g < groups + 1; ++g) target[g] = target_of(g * 16, width, units, packed);

    const std::int64_t size = bf16_pairs ? 2 : 4, stride = m.col_stride * size, whole = m.rows / 32 * 2;
    for (std::int64_t step = 0; step < units; ++step) {
        const char* from = static_cast<const char*>(m.data) + step * stride * (bf16_pairs ? 2 : 1);
        // The last of an odd number has no partner; zeros stand in for it.
        const bool both = bf16_pairs && 2 * step + 1 < m.cols;
        for (std::int64_t g = 0; g < groups; g += 2) {
            const char* at = from + g * 16 * size;
            __m512i r[2];
            _mm_prefetch(at + kAhead * stride, _MM_HINT_T0);
            _mm_prefetch(bf16_pairs ? at + (kAhead + 1) * stride : at + kAhead * stride + 64, _MM_HINT_T0);
            if (g < whole) {
                if constexpr (bf16_pairs)
                    interleave(_mm512_loadu_si512(at), both ? _mm512_loadu_si512(at + stride) : __m512i{}, r);
                else
                    r[0] = _mm512_loadu_si512(at), r[1] = _mm512_loadu_si512(at + 64);
            } else {
                const std::int64_t left = m.rows - g * 16;
                if constexpr (bf16_pairs)
                    interleave(load_halves(at, left), both ? load_halves(at + stride, left) : __m512i{}, r);
                else
                    r[0] = load_halves(at, 2 * left), r[1] = load_halves(at + 64, 2 * left - 32);
            }
            store<width>(target[g], step, r[0]);
            if (g + 1 < groups) store<width>(target[g + 1], step, r[1]);
        }
    }
}

template <bool bf16_pairs>
STEEPEST_AVX512_INLINE void pack(const ConstMatrix& m, int width, void* packed) {
    const std::int64_t units = bf16_pairs ? (m.cols + 1) / 2 : m.cols;
    if (m.row_stride == 1)
        width == kCols ? pack_steps<kCols, bf16_pairs>(m, units, packed)
                       : pack_steps<kRows, bf16_pairs>(m, units, packed);
    else
        width == kCols ? pack_rows<kCols>(m, units, packed) : pack_rows<kRows>(m, units, packed);
}

STEEPEST_AVX512 void pack_f32(const ConstMatrix& m, int width, void* packed) {
    if (m.dtype == DType::f32)
        pack<false>(m, width, packed);
    else
        kBaselineF32.pack(m, width, packed);
}
STEEPEST_AVX512 void pack_bf16(const ConstMatrix& m, int width, void* packed) { pack<true>(m, width, packed); }

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
