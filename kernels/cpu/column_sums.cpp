// Adds partial sums, blocks of columns in parallel.
#include "kernels/cpu/column_sums.h"

#include "kernels/cpu/simd.h"

namespace steepest::cpu {
namespace {

constexpr std::int64_t kColumns = 256;

STEEPEST_SIMD void sum_block(const SumPartials& s, std::int64_t begin, std::int64_t end) {
    float total[kColumns] = {};
    const std::int64_t n = end - begin;
    for (std::int64_t i = 0; i < s.count; ++i) {
        const float* from = s.partials + i * s.stride + begin;
#pragma omp simd
        for (std::int64_t c = 0; c < n; ++c) total[c] += from[c];
    }
    float* out = s.out + begin;
    if (s.accumulate) {
#pragma omp simd
        for (std::int64_t c = 0; c < n; ++c) out[c] += total[c];
    } else {
        std::copy_n(total, n, out);
    }
}

}  // namespace

void run(const Cpu& cpu, const SumPartials& s) {
    cpu.parallel_for((s.cols + kColumns - 1) / kColumns,
                     [&](std::int64_t i) { sum_block(s, i * kColumns, std::min(s.cols, (i + 1) * kColumns)); });
}

}  // namespace steepest::cpu
