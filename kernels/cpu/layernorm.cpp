// LayerNorm on the CPU: a row at a time, so that its later passes read it from the first-level cache; chunks of rows in
// parallel. The variance is summed in a second pass: sum((x - mean)^2) does not cancel as mean(x^2) - mean^2 does.
#include "ops/layernorm.h"

#include "kernels/cpu/column_sums.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/vector_math.h"

#include <cmath>

namespace steepest {
namespace {

struct PartialSums;  // of dweight and dbias

template <class T>
STEEPEST_SIMD void forward_rows(const LayerNormForward& op, std::int64_t begin, std::int64_t end) {
    const std::int64_t C = op.x.shape.cols();
    const float* weight = op.weight.as<float>();
    const float* bias = op.bias ? op.bias.as<float>() : nullptr;
    for (std::int64_t n = begin; n < end; ++n) {
        const T* x = op.x.as<T>() + n * C;
        T* y = op.y.as<T>() + n * C;
        if (op.residual) {
            const T* residual = op.residual.as<T>() + n * C;
            T* sum = op.sum.as<T>() + n * C;
#pragma omp simd
            for (std::int64_t c = 0; c < C; ++c) cpu::assign(sum[c], float(x[c]) + float(residual[c]));
            x = sum;
        }
        float total = 0, square = 0;
#pragma omp simd reduction(+ : total)
        for (std::int64_t c = 0; c < C; ++c) total += float(x[c]);
        const float mean = total / static_cast<float>(C);
#pragma omp simd reduction(+ : square)
        for (std::int64_t c = 0; c < C; ++c) square += (float(x[c]) - mean) * (float(x[c]) - mean);
        const float rstd = 1 / std::sqrt(square / static_cast<float>(C) + op.eps);
        if (bias) {
#pragma omp simd
            for (std::int64_t c = 0; c < C; ++c) cpu::assign(y[c], (float(x[c]) - mean) * rstd * weight[c] + bias[c]);
        } else {
#pragma omp simd
            for (std::int64_t c = 0; c < C; ++c) cpu::assign(y[c], (float(x[c]) - mean) * rstd * weight[c]);
        }
        op.mean.as<float>()[n] = mean;
        op.rstd.as<float>()[n] = rstd;
    }
}

// dx of these rows, and their part of dweight and dbias, added to `dweight` and `dbias`.
template <class T>
STEEPEST_SIMD void backward_rows(const LayerNormBackward& op, std::int64_t begin, std::int64_t end, float* dweight,
                                 float* dbias) {
    const std::int64_t C = op.x.shape.cols();
    const float* weight = op.weight.as<float>();
    for (std::int64_t n = begin; n < end; ++n) {
        const T *x = op.x.as<T>() + n * C, *dy = op.dy.as<T>() + n * C;
        T* dx = op.dx.as<T>() + n * C;
        const float mean = op.mean.as<float>()[n], rstd = op.rstd.as<float>()[n];

        float sum_g = 0, sum_gn = 0;
#pragma omp simd reduction(+ : sum_g, sum_gn)
        for (std::int64_t c = 0; c < C; ++c) {
            const float d = float(dy[c]), normed = (float(x[c]) - mean) * rstd;
            dbias[c] += d;
            dweight[c] += d * normed;
            sum_g += d * weight[c];
            sum_gn += d * weight[c] * normed;
        }
        const float mean_g = sum_g / static_cast<float>(C), mean_gn = sum_gn / static_cast<float>(C);

        if (op.residual) {
            const T* residual = op.residual.as<T>() + n * C;
#pragma omp simd
            for (std::int64_t c = 0; c < C; ++c)
                cpu::assign(dx[c], float(residual[c]) + rstd * (float(dy[c]) * weight[c] - mean_g -
                                                                (float(x[c]) - mean) * rstd * mean_gn));
        } else {
#pragma omp simd
            for (std::int64_t c = 0; c < C; ++c)
                cpu::assign(dx[c], rstd * (float(dy[c]) * weight[c] - mean_g - (float(x[c]) - mean) * rstd * mean_gn));
        }
    }
}

}  // namespace

void run(Cpu& cpu, const LayerNormForward& op) {
    const std::int64_t N = op.x.shape.rows();
    constexpr std::int64_t kRows = 16;
    dispatch_float(op.x.dtype, [&]<class T>() {
        cpu.parallel_for((N + kRows - 1) / kRows,
                         [&](std::int64_t i) { forward_rows<T>(op, i * kRows, std::min(N, (i + 1) * kRows)); });
    });
}

void run(Cpu& cpu, const LayerNormBackward& op) {
    const std::int64_t C = op.x.shape.cols();
    const cpu::RowChunks chunks(op.x.shape.rows());
    float* partials = cpu::scratch<PartialSums>(chunks.count * 2 * C);
    dispatch_float(op.x.dtype, [&]<class T>() {
        cpu.parallel_for(chunks.count, [&](std::int64_t i) {
            float *dweight = partials + i * 2 * C, *dbias = dweight + C;
            std::fill_n(dweight, 2 * C, 0.0f);
            backward_rows<T>(op, chunks.begin(i), chunks.end(i), dweight, dbias);
        });
    });
    const auto sum = [&](const Tensor& out, const float* first) {
        run(cpu, cpu::SumPartials{.out = out.as<float>(),
                                  .partials = first,
                                  .count = chunks.count,
                                  .stride = 2 * C,
                                  .cols = C,
                                  .accumulate = op.accumulate});
    };
    sum(op.dweight, partials);
    if (op.dbias) sum(op.dbias, partials + C);
}

}  // namespace steepest
