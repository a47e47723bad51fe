// Products of cached matrices by register blocks: kRows x (2 vectors) sums stay in registers while one row of b and one
// column of a pass. Written once over a vector of kLanes floats, and compiled for each instruction set: the width of a
// vector type cannot depend on a clone, so simd.h's macro does not fit.
#include "kernels/cpu/tile_product.h"

#include "kernels/cpu/simd.h"

#include <algorithm>

namespace steepest::cpu {
namespace {

template <int kLanes>
struct Vector {
    using type __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias)) = float;
};

template <int kLanes, int kRows, int kVectors>
STEEPEST_INLINE void block(const TileProduct& p, std::int64_t i, std::int64_t j, std::int64_t k_begin,
                           std::int64_t k_end) {
    using V = typename Vector<kLanes>::type;
    const std::int64_t a_row = p.a_row, a_col = p.a_col, b_row = p.b_row, c_row = p.c_row;
    const float* a = p.a + i * a_row + k_begin * a_col;
    const float* b = p.b + k_begin * b_row + j;
    float* c = p.c + i * c_row + j;

    V sum[kRows][kVectors] = {};
    for (std::int64_t k = k_begin; k < k_end; ++k, a += a_col, b += b_row) {
        V row[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) row[v] = *reinterpret_cast<const V*>(b + v * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) sum[r][v] += a[r * a_row] * row[v];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
            V* to = reinterpret_cast<V*>(c + r * c_row + v * kLanes);
            *to = p.accumulate ? *to + sum[r][v] : sum[r][v];
        }
    }
}

template <int kLanes, int kRows>
STEEPEST_INLINE void product(const TileProduct& p) {
    static_assert(kTileRows % kRows == 0 && kTileColumns % kLanes == 0);
    for (std::int64_t panel = 0; panel < p.rows; panel += kTileRows) {
        const std::int64_t panel_end = panel + kTileRows;
        const std::int64_t cols = p.part == Part::lower_result ? std::min(p.cols, panel_end) : p.cols;
        const std::int64_t k_begin = p.part == Part::upper_left ? std::min(p.depth, panel) : 0;
        const std::int64_t k_end = p.part == Part::lower_left ? std::min(p.depth, panel_end) : p.depth;
        for (std::int64_t i = panel; i < panel_end; i += kRows) {
            std::int64_t j = 0;
            for (; j + kLanes < round_up(cols, kTileColumns); j += 2 * kLanes)
                block<kLanes, kRows, 2>(p, i, j, k_begin, k_end);
            if (j < cols) block<kLanes, kRows, 1>(p, i, j, k_begin, k_end);
        }
    }
}

using Product = void(const TileProduct&);

void baseline(const TileProduct& p) { product<4, 4>(p); }

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v4"))) void avx512(const TileProduct& p) { product<16, 8>(p); }
__attribute__((target("arch=x86-64-v3"))) void avx2(const TileProduct& p) { product<8, 4>(p); }

Product* choose() {
    if (__builtin_cpu_supports("x86-64-v4")) return avx512;
    if (__builtin_cpu_supports("x86-64-v3")) return avx2;
    return baseline;
}
#else
Product* choose() { return baseline; }
#endif

}  // namespace

void run(const TileProduct& p) {
    static Product* const best = choose();
    best(p);
}

}  // namespace steepest::cpu
