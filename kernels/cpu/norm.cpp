// Norms on the host: one number a chunk, chunks in parallel, added up in order.
#include "ops/norm.h"

#include "kernels/cpu/chunks.h"
#include "kernels/cpu/reduce.h"

#include <algorithm>
#include <cmath>

namespace steepest {

void run(Cpu& cpu, const SumOfSquares& op) {
    const cpu::Chunks chunks(op.list);
    const double* sums = cpu::for_each_chunk_sum(cpu, chunks, [&](const cpu::Chunk& c) {
        return cpu::sum_of_squares(op.list[c.tensor].as<float>() + c.begin, c.count);
    });
    const auto total = [&](std::int64_t begin, std::int64_t end) {
        double sum = 0;
        for (std::int64_t i = begin; i < end; ++i) sum += sums[i];
        return static_cast<float>(sum);
    };

    float* out = op.sums.as<float>();
    if (op.sums.count() == 1)
        out[0] = total(0, chunks.size());
    else
        for (std::size_t i = 0; i < op.list.size(); ++i) out[i] = total(chunks.first(i), chunks.first(i + 1));
}

void run(Cpu&, const Sum& op) {
    const float* values = op.values.as<float>();
    double sum = 0;
    for (std::int64_t i = 0; i < op.values.count(); ++i) sum += values[i];
    float& total = *op.total.as<float>();
    total = static_cast<float>((op.accumulate ? double(total) : 0) + double(op.scale) * sum);
}

void run(Cpu&, const ClipFactor& op) {
    const float sum = *op.sum.as<float>(), loss = *op.loss.as<float>();
    const bool also_ok = !op.also_ok || *op.also_ok.as<float>() == 1;
    const float norm = std::sqrt(sum);
    *op.norm.as<float>() = norm;
    *op.factor.as<float>() = op.max_norm > 0 && norm > op.max_norm ? op.max_norm / norm : 1;
    *op.ok.as<float>() = also_ok && std::isfinite(sum) && std::isfinite(loss) ? 1 : 0;
}

}  // namespace steepest
