// Products of lists on the host: small matrices one a thread, large ones in tiles on all threads. Either way each tile
// does the same arithmetic, so which it was cannot be seen in the result.
#include "ops/multiply.h"

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/simd.h"

#include <algorithm>
#include <vector>

namespace steepest {
namespace {

// Above this, the tiles of one product feed all threads.
constexpr std::int64_t kSmallElements = std::int64_t{1} << 18;

STEEPEST_SIMD void add_scaled(float* to, const float* from, std::int64_t n, float factor) {
    for (std::int64_t i = 0; i < n; ++i) to[i] += factor * from[i];
}

// Without columns, for an empty sum, a shape's count does not tell its rows.
cpu::ConstMatrix matrix(const Tensor& t) {
    cpu::ConstMatrix m{ConstTensor(t)};
    m.rows = t.shape[0];
    return m;
}

void multiply(const Cpu& cpu, const Multiply& op, std::size_t i) {
    const cpu::ConstMatrix a = matrix(op.a[i]), b = matrix(op.b[i]);
    const bool in_place = !op.d.empty() && op.d[i].data == op.c[i].data;
    const float* from = op.d.empty() || in_place ? nullptr : op.d[i].as<float>();
    const auto add = [&](const cpu::Block& block) {
        for (std::int64_t r = 0; r < block.rows; ++r) {
            float* row = block.data + r * block.stride;
            if (from) add_scaled(row, from + (block.row + r) * op.c[i].shape[1] + block.col, block.cols, op.beta);
            const std::int64_t j = block.row + r - block.col;
            if (j >= 0 && j < block.cols) row[j] += op.identity;
        }
    };
    cpu::Gemm g{.c = cpu::Matrix(op.c[i]),
                .a = op.transpose_a ? a.t() : a,
                .b = op.transpose_b ? b.t() : b,
                .alpha = op.alpha,
                .beta = in_place ? op.beta : 0,
                .symmetric = op.symmetric};
    if (from || op.identity != 0) g.epilogue = add;
    cpu::gemm(cpu, g);
}

}  // namespace

void run(Cpu& cpu, const Multiply& op) {
    if (op.gate && *op.gate.as<float>() == 0) return;
    std::vector<std::size_t> small;
    for (std::size_t i = 0; i < op.c.size(); ++i)
        if (std::max({op.a[i].count(), op.b[i].count(), op.c[i].count()}) <= kSmallElements)
            small.push_back(i);
        else
            multiply(cpu, op, i);
    cpu.parallel_for(static_cast<std::int64_t>(small.size()),
                     [&](std::int64_t i) { multiply(cpu, op, small[static_cast<std::size_t>(i)]); });
}

}  // namespace steepest
