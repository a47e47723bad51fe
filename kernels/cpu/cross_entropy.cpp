// Softmax cross-entropy on the CPU, rows in parallel. A row of logits (200 KB at GPT-2's vocabulary in f32) is read
// from memory once; its exponentials wait in a row of scratch, so that each is computed once and the result is rounded
// once.
#include "ops/cross_entropy.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace steepest {
namespace {

struct Exponentials;  // of one row

template <class T>
STEEPEST_SIMD float row_max(const T* x, std::int64_t n) {
    float max = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : max)
    for (std::int64_t v = 0; v < n; ++v) max = float(x[v]) > max ? float(x[v]) : max;
    return max;
}

// e[v] = exp(x[v] - max) and their sum, in blocks: one f32 sum of 50257 numbers could lose three digits.
template <class T>
STEEPEST_SIMD double exponentials(float* e, const T* x, float max, std::int64_t n) {
    constexpr std::int64_t kBlock = 1024;
    double total = 0;
    for (std::int64_t begin = 0; begin < n; begin += kBlock) {
        const std::int64_t end = std::min(n, begin + kBlock);
        float sum = 0;
        // Apart, because in one loop with bf16 g++ 12 computes in vectors of half the width.
#pragma omp simd
        for (std::int64_t v = begin; v < end; ++v) e[v] = float(x[v]) - max;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t v = begin; v < end; ++v) {
            e[v] = cpu::fast_exp(e[v]);
            sum += e[v];
        }
        total += sum;
    }
    return total;
}

template <class T>
STEEPEST_SIMD void scale_row(T* y, const float* e, float factor, std::int64_t n) {
#pragma omp simd
    for (std::int64_t v = 0; v < n; ++v) cpu::assign(y[v], e[v] * factor);
}

template <class T>
void one_row(const CrossEntropy& op, std::int64_t n) {
    const std::int64_t width = op.logits.shape.cols(), target = op.targets.as<std::int32_t>()[n];
    const T* x = op.logits.as<T>() + n * width;
    float* e = cpu::scratch<Exponentials>(op.vocab);

    const float max = row_max(x, op.vocab);
    const double sum = exponentials(e, x, max, op.vocab);
    op.loss.as<float>()[n] = static_cast<float>(std::log(sum) + (double(max) - double(float(x[target]))));
    if (!op.dlogits) return;

    T* dlogits = op.dlogits.as<T>() + n * width;
    scale_row(dlogits, e, static_cast<float>(op.scale / sum), op.vocab);
    cpu::assign(dlogits[target], static_cast<float>(op.scale * (e[target] / sum - 1)));
    std::fill(dlogits + op.vocab, dlogits + width, T(0.0f));
}

}  // namespace

void run(Cpu& cpu, const CrossEntropy& op) {
    dispatch_float(op.logits.dtype, [&]<class T>() {
        cpu.parallel_for(op.logits.shape.rows(), [&](std::int64_t n) { one_row<T>(op, n); });
    });
}

}  // namespace steepest
