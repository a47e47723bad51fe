#pragma once
// Products of matrices that lie in the first two cache levels: the inside of attention. One thread, nothing is packed.
#include <cstdint>

namespace steepest::cpu {

// Rows are computed in panels of this height, columns in multiples of kTileColumns: c and its padding must be there.
inline constexpr std::int64_t kTileRows = 8, kTileColumns = 16;

constexpr std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

// Which part of a product matters when one factor is a square block on the causal diagonal.
//   lower_result   only c[i, j] with j <= i is wanted
//   lower_left     a[i, k] is 0 for k > i
//   upper_left     a[i, k] is 0 for k < i
// Skipping works in whole panels: a must really hold zeros wherever k and i are in one panel.
enum class Part { whole, lower_result, lower_left, upper_left };

// c (+)= a b.   Element (i, k) of a is a[i * a_row + k * a_col]; b and c are row-major.
//
//   c   (rows rounded up to kTileRows, cols rounded up to kTileColumns)    rows and columns past the end get
//   unspecified values a   (rows rounded up to kTileRows, depth) b   (depth, cols rounded up to kTileColumns)
struct TileProduct {
    float* c;
    std::int64_t c_row;
    const float* a;
    std::int64_t a_row, a_col;
    const float* b;
    std::int64_t b_row;
    std::int64_t rows, cols, depth;
    Part part = Part::whole;
    bool accumulate = false;
};
void run(const TileProduct& p);

}  // namespace steepest::cpu
