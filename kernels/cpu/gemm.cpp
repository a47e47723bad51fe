// Cuts C into tiles and hands them out. A tile is multiplied over all of K by one thread, so there is no barrier and no
// sum over threads, and which thread it was cannot be seen in the result.
#include "kernels/cpu/gemm.h"

#include "kernels/cpu/gemm_engine.h"
#include "kernels/cpu/simd.h"

#include <algorithm>
#include <cassert>

namespace steepest::cpu {
namespace {

constexpr std::int64_t kMinTile = 96;                // smaller tiles spend their time packing operands
constexpr std::int64_t kRowStep = 8, kColStep = 48;  // what most micro-kernels hold in registers

struct Grid {
    std::int64_t rows, cols;  // of a tile
    std::int64_t down, across;

    // At least `enough` tiles, if the matrix has that many of kMinTile.
    Grid(std::int64_t m, std::int64_t n, std::int64_t enough) {
        down = parts(m, kMaxTileRows), across = parts(n, kMaxTileCols);
        measure(m, n);
        while (down * across < enough && (rows > kMinTile || cols > kMinTile)) {
            if (rows >= cols)
                down = parts(m, rows - kRowStep);
            else
                across = parts(n, cols - kColStep);
            measure(m, n);
        }
    }

private:
    static std::int64_t parts(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }
    void measure(std::int64_t m, std::int64_t n) {
        rows = parts(parts(m, down), kRowStep) * kRowStep, cols = parts(parts(n, across), kColStep) * kColStep;
        down = parts(m, rows), across = parts(n, cols);
    }
};

// Enough that the last tiles to finish leave few cores idle. Our own kernels give an element the same bits whatever
// tile it lies in, so the tiles may follow the thread count; oneDNN's may not.
std::int64_t enough_tiles(const Cpu& cpu, const Kernel* kernel) {
    if (!kernel) return 16;
    return cpu.threads() == 1 || omp_in_parallel() ? 1 : 4 * cpu.threads();
}

STEEPEST_SIMD void load_row(float* to, const bf16* from, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) to[j] = float(from[j]);
}

STEEPEST_SIMD void store_row(bf16* to, const float* from, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) to[j] = bf16(from[j]);
}

void run_tile(const Gemm& g, const Kernel* kernel, std::int64_t row, std::int64_t col, std::int64_t rows,
              std::int64_t cols) {
    const Matrix c = g.c.block(row, col, rows, cols);
    const bool in_place = c.dtype == DType::f32;
    const auto bf16_row = [&](std::int64_t i) { return static_cast<bf16*>(c.data) + i * c.row_stride; };

    Product p{.c = in_place ? static_cast<float*>(c.data) : tile_scratch(),
              .c_stride = in_place ? c.row_stride : cols,
              .a = g.a.block(row, 0, rows, g.a.cols),
              .b = g.b.block(0, col, g.b.rows, cols),
              .alpha = g.alpha,
              .beta = g.beta,
              .upper_only = g.symmetric && row + rows > col + 1,
              .upper_offset = col - row};
    if (!in_place && g.beta != 0)
        for (std::int64_t i = 0; i < rows; ++i) load_row(p.c + i * p.c_stride, bf16_row(i), cols);
    if (kernel)
        multiply(*kernel, p);
    else
        onednn_multiply(p);
    if (g.epilogue) g.epilogue({p.c, p.c_stride, row, col, rows, cols});
    if (!in_place)
        for (std::int64_t i = 0; i < rows; ++i) store_row(bf16_row(i), p.c + i * p.c_stride, cols);
}

template <class T>
void mirror(const Matrix& c, std::int64_t row, std::int64_t col, std::int64_t size) {
    T* data = static_cast<T*>(c.data);
    const std::int64_t row_end = std::min(row + size, c.rows), col_end = std::min(col + size, c.cols);
    for (std::int64_t i = row; i < row_end; ++i)
        for (std::int64_t j = col; j < std::min(col_end, i); ++j)
            data[i * c.row_stride + j] = data[j * c.row_stride + i];
}

// Blocks of 64 x 64: what is read down the columns stays in L1.
void mirror_upper(const Cpu& cpu, const Matrix& c) {
    constexpr std::int64_t kBlock = 64;
    cpu.parallel_for((c.rows + kBlock - 1) / kBlock, [&](std::int64_t i) {
        for (std::int64_t col = 0; col <= i * kBlock; col += kBlock)
            dispatch_float(c.dtype, [&]<class T>() { mirror<T>(c, i * kBlock, col, kBlock); });
    });
}

}  // namespace

void gemm(const Cpu& cpu, const Gemm& g) {
    assert(g.a.rows == g.c.rows && g.b.cols == g.c.cols && g.a.cols == g.b.rows);
    assert(g.c.col_stride == 1 && (!g.symmetric || g.c.rows == g.c.cols));
    if (g.c.rows == 0 || g.c.cols == 0) return;

    // oneDNN refuses an empty sum.
    const Kernel* kernel = g.a.cols == 0 ? &kBaselineF32 : choose_kernel(cpu.engine(), g.a.dtype, g.b.dtype);
    const Grid grid(g.c.rows, g.c.cols, enough_tiles(cpu, kernel));
    // Neighbours in the order share the larger operand's block, which is the one not in cache otherwise.
    const bool down_first = g.c.cols >= g.c.rows;
    cpu.parallel_for(grid.down * grid.across, [&](std::int64_t t) {
        const std::int64_t row = (down_first ? t % grid.down : t / grid.across) * grid.rows;
        const std::int64_t col = (down_first ? t / grid.down : t % grid.across) * grid.cols;
        const std::int64_t rows = std::min(grid.rows, g.c.rows - row), cols = std::min(grid.cols, g.c.cols - col);
        if (!g.symmetric || row < col + cols) run_tile(g, kernel, row, col, rows, cols);
    });
    if (g.symmetric) mirror_upper(cpu, g.c);
}

}  // namespace steepest::cpu
