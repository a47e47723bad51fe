// Orders of rows on the host. A rank is a count of keys, which is never out of bounds, whatever the keys are.
#include "ops/order.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/reduce.h"

#include <cstring>

namespace steepest {
namespace {

// Rows of a matrix that one piece of work takes: the work of a pass over a few thousand elements.
constexpr std::int64_t kRows = 32;

template <class F>
void for_each_band(const Cpu& cpu, const TensorList& list, F&& f) {
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::int64_t rows = list[i].shape.rows();
        cpu.parallel_for((rows + kRows - 1) / kRows,
                         [&](std::int64_t band) { f(i, band * kRows, std::min(rows, (band + 1) * kRows)); });
    }
}

}  // namespace

void run(Cpu& cpu, const RowRanks& op) {
    for_each_band(cpu, op.x, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
        const std::int64_t cols = op.x[i].shape.cols();
        for (std::int64_t r = begin; r < end; ++r)
            op.keys[i].as<float>()[r] =
                static_cast<float>(cpu::dot(op.x[i].as<float>() + r * cols, op.y[i].as<float>() + r * cols, cols));
    });
    for_each_band(cpu, op.x, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
        const float* keys = op.keys[i].as<float>();
        for (std::int64_t r = begin; r < end; ++r) {
            std::int64_t rank = 0;
            for (std::int64_t k = 0; k < r; ++k) rank += keys[k] >= keys[r];
            for (std::int64_t k = r + 1; k < op.x[i].shape.rows(); ++k) rank += keys[k] > keys[r];
            op.ranks[i].as<float>()[r] = static_cast<float>(rank);
        }
    });
}

void run(Cpu& cpu, const Permute& op) {
    for_each_band(cpu, op.to, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
        const std::int64_t cols = op.to[i].shape.cols();
        const float *rows = op.rows[i].as<float>(), *columns = op.columns[i].as<float>();
        for (std::int64_t r = begin; r < end; ++r) {
            const float* from = op.from[i].as<float>() + r * cols;
            float* to = op.to[i].as<float>() + (rows ? static_cast<std::int64_t>(rows[r]) : r) * cols;
            if (!columns)
                std::memcpy(to, from, static_cast<std::size_t>(cols) * sizeof(float));
            else
                for (std::int64_t c = 0; c < cols; ++c) to[static_cast<std::int64_t>(columns[c])] = from[c];
        }
    });
}

}  // namespace steepest
