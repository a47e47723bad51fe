// Norms on the host: one number a chunk, chunks in parallel, added up in order.
#include "ops/norm.h"

#include "kernels/cpu/chunks.h"
#include "kernels/cpu/reduce.h"

#include <algorithm>
#include <cmath>

namespace steepest {
namespace {

// sums[i] = f of the chunks of list[i] added up in order, or sums[0] for the whole list.
template <class F>
void sum_tensors(Cpu& cpu, const Tensor& sums, const TensorList& list, F&& f) {
    const cpu::Chunks chunks(list);
    const double* parts = cpu::for_each_chunk_sum(cpu, chunks, f);
    const auto total = [&](std::int64_t begin, std::int64_t end) {
        double sum = 0;
        for (std::int64_t i = begin; i < end; ++i) sum += parts[i];
        return static_cast<float>(sum);
    };
    float* out = sums.as<float>();
    if (sums.count() == 1)
        out[0] = total(0, chunks.size());
    else
        for (std::size_t i = 0; i < list.size(); ++i) out[i] = total(chunks.first(i), chunks.first(i + 1));
}

}  // namespace

void run(Cpu& cpu, const SumOfSquares& op) {
    sum_tensors(cpu, op.sums, op.list, [&](const cpu::Chunk& c) {
        return cpu::sum_of_squares(op.list[c.tensor].as<float>() + c.begin, c.count);
    });
}

void run(Cpu& cpu, const Dot& op) {
    sum_tensors(cpu, op.sums, op.a, [&](const cpu::Chunk& c) {
        return cpu::dot(op.a[c.tensor].as<float>() + c.begin, op.b[c.tensor].as<float>() + c.begin, c.count);
    });
}

void run(Cpu& cpu, const SumOfRoots& op) {
    sum_tensors(cpu, op.sums, op.list, [&](const cpu::Chunk& c) {
        double sum = 0;
        for (std::int64_t i = c.begin; i < c.begin + c.count; ++i)
            sum += std::sqrt(double(op.list[c.tensor].as<float>()[i]));
        return sum;
    });
}

void run(Cpu&, const Sum& op) {
    const float* values = op.values.as<float>();
    double sum = 0;
    for (std::int64_t i = 0; i < op.values.count(); ++i) sum += values[i];
    float& total = *op.total.as<float>();
    total = static_cast<float>((op.accumulate ? double(total) : 0) + double(op.scale) * sum);
}

void run(Cpu&, const ClipFactor& op) {
    const float sum = *op.sum.as<float>(), loss = *op.loss.as<float>(), slope = op.slope ? *op.slope.as<float>() : 1;
    const float norm = std::abs(slope) * std::sqrt(sum);
    *op.norm.as<float>() = norm;
    *op.factor.as<float>() = slope * (op.max_norm > 0 && norm > op.max_norm ? op.max_norm / norm : 1);
    bool ok = std::isfinite(sum) && std::isfinite(loss) && std::isfinite(slope);
    for (const ConstTensor& also : op.also_ok) ok = ok && (!also || *also.as<float>() == 1);
    *op.ok.as<float>() = ok ? 1 : 0;
}

}  // namespace steepest
