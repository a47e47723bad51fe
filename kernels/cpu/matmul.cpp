// The linear layer on the CPU: three products, with what follows them done while each tile is in cache.
#include "ops/matmul.h"

#include "kernels/cpu/column_sums.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <type_traits>

namespace steepest {
namespace {

using cpu::Block, cpu::ConstMatrix, cpu::Matrix;

struct PartialSums;  // of dbias

constexpr std::int64_t kStrip = 256;

// `n` values, at most kStrip, as f32: where they are, or in `converted`. Conversions have loops of their own: in one
// loop with bf16 g++ 12 computes in vectors of half the width.
template <class T>
inline const float* as_floats(float* converted, const T* from, std::int64_t n) {
    if constexpr (std::is_same_v<T, float>) {
        return from;
    } else {
#pragma omp simd
        for (std::int64_t j = 0; j < n; ++j) converted[j] = float(from[j]);
        return converted;
    }
}

template <class T>
STEEPEST_SIMD void add_bias(const Block& z, const T* bias) {
    float converted[kStrip];
    for (std::int64_t begin = 0; begin < z.cols; begin += kStrip) {
        const std::int64_t n = std::min(kStrip, z.cols - begin);
        const float* value = as_floats(converted, bias + z.col + begin, n);
        for (std::int64_t i = 0; i < z.rows; ++i) {
            float* row = z.data + i * z.stride + begin;
#pragma omp simd
            for (std::int64_t j = 0; j < n; ++j) row[j] += value[j];
        }
    }
}

template <class T>
STEEPEST_SIMD void keep_and_gelu(const Block& z, T* preactivation, std::int64_t cols) {
    for (std::int64_t i = 0; i < z.rows; ++i) {
        float* row = z.data + i * z.stride;
        T* kept = preactivation + (z.row + i) * cols + z.col;
#pragma omp simd
        for (std::int64_t j = 0; j < z.cols; ++j) cpu::assign(kept[j], row[j]);
        if constexpr (!std::is_same_v<T, float>) {
#pragma omp simd
            for (std::int64_t j = 0; j < z.cols; ++j) row[j] = float(kept[j]);
        }
#pragma omp simd
        for (std::int64_t j = 0; j < z.cols; ++j) row[j] = cpu::gelu(row[j]);
    }
}

template <class T>
STEEPEST_SIMD void times_gelu_derivative(const Block& dx, const T* preactivation, std::int64_t cols) {
    float converted[kStrip];
    for (std::int64_t i = 0; i < dx.rows; ++i)
        for (std::int64_t begin = 0; begin < dx.cols; begin += kStrip) {
            const std::int64_t n = std::min(kStrip, dx.cols - begin);
            float* row = dx.data + i * dx.stride + begin;
            const float* value = as_floats(converted, preactivation + (dx.row + i) * cols + dx.col + begin, n);
#pragma omp simd
            for (std::int64_t j = 0; j < n; ++j) row[j] *= cpu::gelu_derivative(value[j]);
        }
}

template <class T>
STEEPEST_SIMD void sum_rows(float* sums, const T* x, std::int64_t rows, std::int64_t cols) {
    std::fill_n(sums, cols, 0.0f);
    for (std::int64_t n = 0; n < rows; ++n) {
        const T* row = x + n * cols;
#pragma omp simd
        for (std::int64_t c = 0; c < cols; ++c) sums[c] += float(row[c]);
    }
}

void column_sums(Cpu& cpu, const Tensor& out, const ConstTensor& x) {
    const std::int64_t cols = x.shape.cols();
    const cpu::RowChunks chunks(x.shape.rows());
    float* partials = cpu::scratch<PartialSums>(chunks.count * cols);
    dispatch_float(x.dtype, [&]<class T>() {
        cpu.parallel_for(chunks.count, [&](std::int64_t i) {
            sum_rows(partials + i * cols, x.as<T>() + chunks.begin(i) * cols, chunks.end(i) - chunks.begin(i), cols);
        });
    });
    run(cpu, cpu::SumPartials{.out = out.as<float>(),
                              .partials = partials,
                              .count = chunks.count,
                              .stride = cols,
                              .cols = cols,
                              .accumulate = false});
}

}  // namespace

void run(Cpu& cpu, const LinearForward& op) {
    const auto epilogue = [&](const Block& z) {
        if (op.bias) dispatch_float(op.bias.dtype, [&]<class T>() { add_bias(z, op.bias.as<T>()); });
        if (op.preactivation)
            dispatch_float(op.preactivation.dtype, [&]<class T>() {
                keep_and_gelu(z, op.preactivation.as<T>(), op.preactivation.shape.cols());
            });
    };
    cpu::Gemm g{.c = Matrix(op.y), .a = ConstMatrix(op.x), .b = ConstMatrix(op.weight).t()};
    if (op.bias || op.preactivation) g.epilogue = epilogue;
    cpu::gemm(cpu, g);
}

void run(Cpu& cpu, const LinearBackwardInput& op) {
    const auto epilogue = [&](const Block& dx) {
        dispatch_float(op.preactivation.dtype, [&]<class T>() {
            times_gelu_derivative(dx, op.preactivation.as<T>(), op.preactivation.shape.cols());
        });
    };
    cpu::Gemm g{.c = Matrix(op.dx), .a = ConstMatrix(op.dy), .b = ConstMatrix(op.weight)};
    if (op.preactivation) g.epilogue = epilogue;
    cpu::gemm(cpu, g);
}

void run(Cpu& cpu, const LinearBackwardWeight& op) {
    cpu::gemm(cpu, {.c = Matrix(op.dweight),
                    .a = ConstMatrix(op.dy).t(),
                    .b = ConstMatrix(op.x),
                    .beta = op.accumulate ? 1.0f : 0.0f});
    if (op.dbias) column_sums(cpu, op.dbias, op.dy);
}

}  // namespace steepest
