// Our own matrix multiplication of one tile: operands are packed into panels in blocks of K, then a micro-kernel keeps
// a small piece of C in registers over a whole block. Goto, van de Geijn 2008, "Anatomy of high-performance matrix
// multiplication". A panel of B (32 KiB) stays in L1 while the panels of A pass by from L2. Threads share nothing: each
// packs for itself, which was measured faster than sharing a packed B behind barriers.
//
// Every element of C is one chain of sums over K, cut only at multiples of the kernel's block: its bits depend neither
// on the tile it lies in nor on its place there.
#include "kernels/cpu/gemm_engine.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <memory>
#include <new>
#include <sys/mman.h>

namespace steepest::cpu {
namespace {

// Allocated at a thread's first product, on huge pages because a first touch of a small one costs 10.8 us.
struct Scratch {
    static constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
    static constexpr std::int64_t kPad = 64;  // panels stick out of a tile
    static constexpr std::int64_t kA = (kMaxTileRows + kPad) * (kMaxBlock + 16),
                                  kB = (kMaxTileCols + kPad) * (kMaxBlock + 16);
    static constexpr std::int64_t kC = kMaxTileRows * kMaxTileCols;
    static constexpr std::int64_t kBytes = ((kA + kB + kC) * 4 + kHugePage - 1) / kHugePage * kHugePage;

    Scratch() : data(static_cast<float*>(std::aligned_alloc(kHugePage, kBytes))) {
        if (!data) throw std::bad_alloc();
        madvise(data.get(), kBytes, MADV_HUGEPAGE);
    }
    float* a() { return data.get(); }
    float* b() { return a() + kA; }
    float* c() { return b() + kB; }

    struct Free {
        void operator()(float* p) const { std::free(p); }
    };
    std::unique_ptr<float, Free> data;
};

Scratch& scratch() {
    static thread_local Scratch mine;
    return mine;
}

}  // namespace

float* tile_scratch() { return scratch().c(); }

void multiply(const Kernel& kernel, const Product& p) {
    const std::int64_t pair = kernel.compute == DType::bf16 ? 2 : 1;
    const std::int64_t rows = p.a.rows, cols = p.b.cols, k = p.a.cols, block = kernel.block * pair;
    assert(kernel.block <= kMaxBlock && rows <= kMaxTileRows && cols <= kMaxTileCols);
    float *packed_a = scratch().a(), *packed_b = scratch().b();
    // K = 0 still scales C, in one empty block.
    for (std::int64_t at = 0; at < std::max<std::int64_t>(k, 1); at += block) {
        const std::int64_t depth = std::min(block, k - at), units = (depth + pair - 1) / pair;
        kernel.pack(p.a.block(0, at, rows, depth), kernel.rows, packed_a);
        kernel.pack(p.b.block(at, 0, depth, cols).t(), kernel.cols, packed_b);
        const float beta = at == 0 ? p.beta : 1;
        for (std::int64_t j = 0; j < cols; j += kernel.cols)
            for (std::int64_t i = 0; i < rows; i += kernel.rows) {
                if (p.upper_only && i > j + kernel.cols - 1 + p.upper_offset) break;
                kernel.multiply(units, packed_a + i / kernel.rows * panel_units(kernel.rows, units),
                                packed_b + j / kernel.cols * panel_units(kernel.cols, units),
                                {.c = p.c + i * p.c_stride + j,
                                 .stride = p.c_stride,
                                 .rows = static_cast<int>(std::min<std::int64_t>(kernel.rows, rows - i)),
                                 .cols = static_cast<int>(std::min<std::int64_t>(kernel.cols, cols - j)),
                                 .alpha = p.alpha,
                                 .beta = beta});
            }
    }
}

}  // namespace steepest::cpu
