// Embedding on the CPU. Forward: blocks of positions in parallel. Backward: blocks of columns in parallel, each going
// through all tokens in order, so that a row of dwte is summed in that order without sorting and without atomics.
#include "ops/embedding.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace steepest {
namespace {

constexpr std::int64_t kRows = 16;     // positions a task
constexpr std::int64_t kColumns = 64;  // columns a task: whole cache lines in f32 and bf16

template <class T>
STEEPEST_SIMD void forward_rows(const EmbeddingForward& op, std::int64_t begin, std::int64_t end) {
    const std::int64_t T_ = op.y.shape[1], C = op.y.shape[2];
    const std::int32_t* tokens = op.tokens.as<std::int32_t>();
    for (std::int64_t n = begin; n < end; ++n) {
        const T* wte = op.wte.as<T>() + tokens[n] * C;
        const T* wpe = op.wpe.as<T>() + n % T_ * C;
        T* y = op.y.as<T>() + n * C;
#pragma omp simd
        for (std::int64_t c = 0; c < C; ++c) cpu::assign(y[c], float(wte[c]) + float(wpe[c]));
    }
}

template <class T>
STEEPEST_SIMD void add_to_tokens(const EmbeddingBackward& op, std::int64_t begin, std::int64_t end) {
    const std::int64_t N = op.tokens.count(), C = op.dy.shape[2], n_columns = end - begin;
    const std::int32_t* tokens = op.tokens.as<std::int32_t>();
    for (std::int64_t n = 0; n < N; ++n) {
        float* dwte = op.dwte.as<float>() + tokens[n] * C + begin;
        const T* dy = op.dy.as<T>() + n * C + begin;
#pragma omp simd
        for (std::int64_t c = 0; c < n_columns; ++c) dwte[c] += float(dy[c]);
    }
}

template <class T>
STEEPEST_SIMD void add_to_positions(const EmbeddingBackward& op, std::int64_t begin, std::int64_t end) {
    const std::int64_t B = op.dy.shape[0], T_ = op.dy.shape[1], C = op.dy.shape[2];
    for (std::int64_t t = begin; t < end; ++t) {
        float* dwpe = op.dwpe.as<float>() + t * C;
        if (!op.accumulate) std::fill_n(dwpe, C, 0.0f);
        if (t >= T_) continue;
        for (std::int64_t b = 0; b < B; ++b) {
            const T* dy = op.dy.as<T>() + (b * T_ + t) * C;
#pragma omp simd
            for (std::int64_t c = 0; c < C; ++c) dwpe[c] += float(dy[c]);
        }
    }
}

}  // namespace

void run(Cpu& cpu, const EmbeddingForward& op) {
    const std::int64_t N = op.tokens.count();
    dispatch_float(op.y.dtype, [&]<class T>() {
        cpu.parallel_for((N + kRows - 1) / kRows,
                         [&](std::int64_t i) { forward_rows<T>(op, i * kRows, std::min(N, (i + 1) * kRows)); });
    });
}

void run(Cpu& cpu, const EmbeddingBackward& op) {
    const std::int64_t C = op.dy.shape[2], positions = op.dwpe.shape.rows();
    dispatch_float(op.dy.dtype, [&]<class T>() {
        cpu.parallel_for((C + kColumns - 1) / kColumns,
                         [&](std::int64_t i) { add_to_tokens<T>(op, i * kColumns, std::min(C, (i + 1) * kColumns)); });
        cpu.parallel_for((positions + kRows - 1) / kRows, [&](std::int64_t i) {
            add_to_positions<T>(op, i * kRows, std::min(positions, (i + 1) * kRows));
        });
    });
}

}  // namespace steepest
