// Gram-Schmidt on the host, a matrix a thread: the few rows of a panel are in its cache.
#include "ops/gram_schmidt.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/simd.h"

#include <cmath>

namespace steepest {
namespace {

STEEPEST_SIMD void subtract(float* to, const float* from, std::int64_t n, float factor) {
    for (std::int64_t i = 0; i < n; ++i) to[i] -= factor * from[i];
}

STEEPEST_SIMD void multiply(float* x, std::int64_t n, float factor) {
    for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
}

void orthonormalize(const Tensor& x) {
    const std::int64_t rows = x.shape.rows(), cols = x.shape.cols();
    float* data = x.as<float>();
    for (std::int64_t i = 0; i < rows; ++i) {
        float* row = data + i * cols;
        for (int pass = 0; pass < 2; ++pass) {
            double parts[GramSchmidt::kMostRows];
            for (std::int64_t k = 0; k < i; ++k) parts[k] = cpu::dot(data + k * cols, row, cols);
            for (std::int64_t k = 0; k < i; ++k) subtract(row, data + k * cols, cols, static_cast<float>(parts[k]));
        }
        const double norm = std::sqrt(cpu::sum_of_squares(row, cols));
        multiply(row, cols, norm == 0 ? 0 : static_cast<float>(1 / norm));
    }
}

}  // namespace

void run(Cpu& cpu, const GramSchmidt& op) {
    if (op.gate && *op.gate.as<float>() == 0) return;
    cpu.parallel_for(static_cast<std::int64_t>(op.x.size()),
                     [&](std::int64_t i) { orthonormalize(op.x[static_cast<std::size_t>(i)]); });
}

}  // namespace steepest
