// Rows and columns of matrices on the host: bands of rows in parallel, or, for sums of columns, bands of columns, whose
// sums stay in the first-level cache while the rows stream past. Each matrix is read once.
#include "ops/axis.h"

#include "kernels/cpu/chunks.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/simd.h"

#include <algorithm>
#include <cmath>

namespace steepest {
namespace {

struct Band {
    std::size_t matrix;
    std::int64_t begin, count;  // rows or columns of it
};

constexpr std::int64_t kColumns = 256;
std::int64_t rows_of_band(const Shape& s) {
    return std::max<std::int64_t>(1, cpu::kChunk / std::max<std::int64_t>(1, s.cols()));
}
std::int64_t columns_of_band(const Shape&) { return kColumns; }

// f(band) for all bands of all matrices, a band being size(shape) rows, or columns.
template <class Size, class F>
void for_each_band(const Cpu& cpu, const TensorList& x, Axis axis, Size size, F&& f) {
    std::int64_t* starts = cpu::scratch<Band, std::int64_t>(static_cast<std::int64_t>(x.size()) + 1);
    starts[0] = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
        starts[i + 1] = starts[i] + (along(x[i].shape, axis) + size(x[i].shape) - 1) / size(x[i].shape);
    cpu.parallel_for(starts[x.size()], [&](std::int64_t band) {
        const auto i = static_cast<std::size_t>(std::upper_bound(starts, starts + x.size() + 1, band) - starts - 1);
        const std::int64_t height = size(x[i].shape), begin = (band - starts[i]) * height;
        f(Band{i, begin, std::min(height, along(x[i].shape, axis) - begin)});
    });
}

STEEPEST_SIMD void add_squares(double* sums, const float* x, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) sums[j] += double(x[j]) * double(x[j]);
}

STEEPEST_SIMD void scale(float* x, std::int64_t n, float factor) {
    for (std::int64_t j = 0; j < n; ++j) x[j] *= factor;
}

STEEPEST_SIMD void multiply(float* x, const float* factors, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) x[j] *= factors[j];
}

}  // namespace

void run(Cpu& cpu, const AxisSquares& op) {
    if (op.axis == Axis::rows) {
        for_each_band(cpu, op.x, Axis::rows, rows_of_band, [&](const Band& band) {
            const std::int64_t cols = op.x[band.matrix].shape.cols();
            const double divisor = op.mean ? static_cast<double>(std::max<std::int64_t>(1, cols)) : 1;
            for (std::int64_t r = band.begin; r < band.begin + band.count; ++r)
                op.sums[band.matrix].as<float>()[r] =
                    static_cast<float>(cpu::sum_of_squares(op.x[band.matrix].as<float>() + r * cols, cols) / divisor);
        });
        return;
    }
    for_each_band(cpu, op.x, Axis::columns, columns_of_band, [&](const Band& band) {
        const Shape& shape = op.x[band.matrix].shape;
        double sums[kColumns] = {};
        for (std::int64_t r = 0; r < shape.rows(); ++r)
            add_squares(sums, op.x[band.matrix].as<float>() + r * shape.cols() + band.begin, band.count);
        const double divisor = op.mean ? static_cast<double>(std::max<std::int64_t>(1, shape.rows())) : 1;
        for (std::int64_t j = 0; j < band.count; ++j)
            op.sums[band.matrix].as<float>()[band.begin + j] = static_cast<float>(sums[j] / divisor);
    });
}

void run(Cpu& cpu, const DivideByRoots& op) {
    const auto factor = [&](float value) {
        const float divisor = std::sqrt(value + op.inside) + op.outside;
        return divisor == 0 ? 0 : 1 / divisor;
    };
    for_each_band(cpu, op.x, Axis::rows, rows_of_band, [&](const Band& band) {
        const std::int64_t cols = op.x[band.matrix].shape.cols();
        const float* values = op.values[band.matrix].as<float>();
        float* x = op.x[band.matrix].as<float>();
        if (op.axis == Axis::rows) {
            for (std::int64_t r = band.begin; r < band.begin + band.count; ++r)
                scale(x + r * cols, cols, factor(values[r]));
            return;
        }
        float* factors = cpu::scratch<DivideByRoots>(cols);
        for (std::int64_t j = 0; j < cols; ++j) factors[j] = factor(values[j]);
        for (std::int64_t r = band.begin; r < band.begin + band.count; ++r) multiply(x + r * cols, factors, cols);
    });
}

}  // namespace steepest
