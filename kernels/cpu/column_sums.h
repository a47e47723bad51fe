#pragma once
// Sums over rows in an order that depends on the shape alone: fixed chunks of rows, each summed by one worker, then the
// chunks in order.
#include "kernels/cpu/cpu.h"

#include <algorithm>
#include <cstdint>

namespace steepest::cpu {

// At most 64 chunks, so that the partial sums stay small, and no less than 16 rows in one, so that they pay.
struct RowChunks {
    std::int64_t rows, size, count;

    explicit RowChunks(std::int64_t n)
        : rows(n), size(std::max<std::int64_t>(16, (n + 63) / 64)), count((n + size - 1) / size) {}
    std::int64_t begin(std::int64_t chunk) const { return chunk * size; }
    std::int64_t end(std::int64_t chunk) const { return std::min(rows, (chunk + 1) * size); }
};

// out[c] (+)= sum over i < count of partials[i * stride + c], for c < cols.
struct SumPartials {
    float* out;
    const float* partials;
    std::int64_t count, stride, cols;
    bool accumulate;
};
void run(const Cpu& cpu, const SumPartials& s);

}  // namespace steepest::cpu
