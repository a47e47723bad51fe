#pragma once
// What can multiply one tile on one thread, and how it is chosen: our own micro-kernels, and oneDNN where it was found.
#include "kernels/cpu/gemm.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace steepest::cpu {

// One product on the calling thread: C = alpha A B + beta C with C in f32.
struct Product {
    float* c;
    std::int64_t c_stride;
    ConstMatrix a, b;
    float alpha, beta;
    // Element (i, j) is not needed if i > j + upper_offset.
    bool upper_only = false;
    std::int64_t upper_offset = 0;
};

// Where a micro-kernel leaves its sums: C = alpha sums + beta C on the first rows x cols of them.
struct Update {
    float* c;
    std::int64_t stride;
    int rows, cols;
    float alpha, beta;
};

// From one packed panel to the next, in units. A cache line more than it holds, so that panels do not fall on the same
// cache sets.
constexpr std::int64_t panel_units(int width, std::int64_t units) { return width * units + 16; }

// A micro-kernel and the packed form of its operands. Both are cut into panels of `width` rows of A or columns of B; a
// panel is a sequence of steps of K, each `width` units of 4 bytes: one f32, or two bf16 that are neighbours along K.
// What sticks out is zero.
struct Kernel {
    std::string_view name;
    int rows, cols;  // of the part of C that is held in registers
    DType compute;   // bf16: operands are bf16, a unit is a pair; f32: operands are converted while they are packed
    int block;       // units along K that are packed and multiplied at a time, at most kMaxBlock
    // sums = A panel * B panel over `units` steps of K.
    void (*multiply)(std::int64_t units, const void* a, const void* b, const Update& update);
    // Rows [0, m.rows) of m, all its columns (that is K), into panels of `width`. For B the caller passes B transposed.
    void (*pack)(const ConstMatrix& m, int width, void* packed);
};

// The largest tile of C that anybody makes and the largest block of a kernel: every thread's scratch is as large as
// these say, and that is one huge page.
constexpr std::int64_t kMaxTileRows = 512, kMaxTileCols = 384, kMaxBlock = 256;

// The micro-kernel for operands of these types; nullptr: the product belongs to oneDNN.
const Kernel* choose_kernel(Engine engine, DType a, DType b);
std::string_view name_of(Engine engine);
std::string describe(Engine engine, DType operands);

void multiply(const Kernel& kernel, const Product& p);

extern const Kernel kBaselineF32, kAvx2F32, kAvx512F32, kAvx512Bf16;

// False if oneDNN was not found when this was built.
bool onednn_available();
std::string onednn_version();
// Operands are both f32 or both bf16. On the calling thread alone.
void onednn_multiply(const Product& p);

// f32 for one tile of C, private to the calling thread until its next call.
float* tile_scratch();

}  // namespace steepest::cpu
