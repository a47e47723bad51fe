// Newton-Schulz on the host, in the orientation in which a matrix is stored: what the formula calls X X^T is X^T X of a
// tall one, and B X is X B, so nothing is transposed.
//
// Small matrices are taken one a thread, large ones in tiles of one product; either way each tile does the same
// arithmetic, so which it was cannot be seen in the result.
#include "ops/orthogonalize.h"

#include "kernels/cpu/chunks.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/simd.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace steepest {
namespace {

using cpu::Block;
using cpu::Gemm;
using cpu::Matrix;
using Place = NewtonSchulzProduct::Place;

// Above this, the tiles of one product feed all threads, and a thread's own matrices would no longer fit its cache.
constexpr std::int64_t kSmallElements = std::int64_t{1} << 18;
bool one_a_thread(std::int64_t rows, std::int64_t cols) { return rows * cols <= kSmallElements; }

STEEPEST_SIMD void gather(float* to, const float* from, std::int64_t n, double factor) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(factor * from[i]);
}

STEEPEST_SIMD void gather(bf16* to, const float* from, std::int64_t n, double factor) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = bf16(static_cast<float>(factor * from[i]));
}

STEEPEST_SIMD void scatter(float* to, const float* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
}

STEEPEST_SIMD void scatter(float* to, const bf16* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = float(from[i]);
}

STEEPEST_SIMD void add_scaled(float* to, const float* from, std::int64_t n, float factor) {
    for (std::int64_t i = 0; i < n; ++i) to[i] += factor * from[i];
}

STEEPEST_SIMD void add_scaled(float* to, const bf16* from, std::int64_t n, float factor) {
    for (std::int64_t i = 0; i < n; ++i) to[i] += factor * float(from[i]);
}

// A tile of a product += factor * the same tile of `from`.
template <class T>
void add_tile(const Block& block, const Matrix& from, float factor) {
    const T* data = static_cast<const T*>(from.data) + block.row * from.row_stride + block.col;
    for (std::int64_t i = 0; i < block.rows; ++i)
        add_scaled(block.data + i * block.stride, data + i * from.row_stride, block.cols, factor);
}

void add_to_diagonal(const Block& block, float value) {
    for (std::int64_t i = 0; i < block.rows; ++i) {
        const std::int64_t j = block.row + i - block.col;
        if (j >= 0 && j < block.cols) block.data[i * block.stride + j] += value;
    }
}

// One matrix's share of scratch, without the padding that the plan allows for.
struct Slot {
    Matrix x, y;          // as stored
    Matrix gram, factor;  // square, of the shorter side

    Slot(std::byte* data, std::int64_t rows, std::int64_t cols, DType t) {
        const auto take = [&](std::int64_t r, std::int64_t c) {
            return Matrix(std::exchange(data, data + aligned(r * c * size_of(t))), t, r, c, c);
        };
        const std::int64_t side = std::min(rows, cols);
        x = take(rows, cols), y = take(rows, cols);
        gram = take(side, side), factor = take(side, side);
    }

    Matrix at(Place place) const {
        switch (place) {
            case Place::none:
                break;
            case Place::x:
                return x;
            case Place::gram:
                return gram;
            case Place::factor:
                return factor;
            case Place::spare:
                return {y.data, y.dtype, gram.rows, gram.cols, gram.cols};
        }
        return {};
    }

private:
    static std::int64_t aligned(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }
};

template <class T>
class Iteration {
public:
    Iteration(const Cpu& cpu, const Orthogonalize& op, const std::vector<NewtonSchulzProduct>& products,
              const Shape& shape, std::byte* slot)
        : cpu_(cpu), op_(op), products_(products), slot_(slot, shape.rows(), shape.cols(), op.compute) {}

    void run(std::size_t index) {
        float* x = op_.x[index].template as<float>();
        const std::int64_t n = op_.x[index].count();
        T* from = static_cast<T*>(slot_.x.data);
        const double norm = std::sqrt(cpu::sum_over_chunks(
            cpu_, n, [&](std::int64_t begin, std::int64_t count) { return cpu::sum_of_squares(x + begin, count); }));
        const double size = double(op_.norm_factor) * norm + op_.epsilon, factor = size == 0 ? 0 : 1 / size;
        cpu::for_each_chunk(
            cpu_, n, [&](std::int64_t begin, std::int64_t count) { gather(from + begin, x + begin, count, factor); });

        for (const NewtonSchulzProduct& p : products_) multiply(p);

        from = static_cast<T*>(slot_.x.data);
        const double dual = cpu::sum_over_chunks(cpu_, n, [&](std::int64_t begin, std::int64_t count) {
            float piece[kPiece];
            double sum = 0;
            for (std::int64_t at = begin; at < begin + count; at += kPiece) {
                const std::int64_t m = std::min(kPiece, begin + count - at);
                scatter(piece, from + at, m);
                if (op_.dual) sum += cpu::dot(x + at, piece, m);
                scatter(x + at, piece, m);
            }
            return sum;
        });
        if (op_.dual) op_.dual.template as<float>()[index] = static_cast<float>(dual);
    }

private:
    static constexpr std::int64_t kPiece = 1024;

    bool tall() const { return slot_.x.rows > slot_.x.cols; }

    void multiply(const NewtonSchulzProduct& p) {
        const Matrix left = slot_.at(p.left), right = slot_.at(p.right), from = slot_.at(p.from);
        const auto add = [&](const Block& block) {
            if (p.beta != 0) add_tile<T>(block, from, static_cast<float>(p.beta));
            if (p.identity != 0) add_to_diagonal(block, static_cast<float>(p.identity));
        };
        Gemm g{.c = slot_.at(p.to), .a = left, .b = right, .alpha = static_cast<float>(p.alpha)};
        if (p.squares()) {
            g.a = tall() ? left.t() : left, g.b = tall() ? right : right.t();
        } else if (!p.symmetric()) {
            g.c = slot_.y;
            if (tall()) std::swap(g.a, g.b);
        } else if (p.alpha == 0) {
            g.a = left.block(0, 0, left.rows, 0), g.b = right.block(0, 0, 0, right.cols);
        }
        if (p.beta != 0 || p.identity != 0) g.epilogue = add;
        g.symmetric = p.symmetric();
        cpu::gemm(cpu_, g);
        if (!p.symmetric()) std::swap(slot_.x, slot_.y);
    }

    const Cpu& cpu_;
    const Orthogonalize& op_;
    const std::vector<NewtonSchulzProduct>& products_;
    Slot slot_;
};

// Indices of equal shapes, in order of the first of each.
std::vector<std::vector<std::size_t>> equal_shapes(const TensorList& x) {
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto same = std::ranges::find_if(groups, [&](const auto& g) { return x[g[0]].shape == x[i].shape; });
        if (same == groups.end())
            groups.push_back({i});
        else
            same->push_back(i);
    }
    return groups;
}

void run_group(Cpu& cpu, const Orthogonalize& op, const std::vector<std::size_t>& group) {
    const Shape& shape = op.x[group[0]].shape;
    if (shape.count() == 0) return;
    const std::vector<NewtonSchulzProduct> products = newton_schulz_products(shape, op.coefficients, op.form);
    const std::int64_t slot_bytes = Orthogonalize::matrix_bytes(shape, op.compute);
    const std::int64_t at_a_time = one_a_thread(shape.rows(), shape.cols()) ? op.scratch.bytes() / slot_bytes : 1;
    const auto n = static_cast<std::int64_t>(group.size());
    for (std::int64_t begin = 0; begin < n; begin += at_a_time)
        cpu.parallel_for(std::min(at_a_time, n - begin), [&](std::int64_t i) {
            std::byte* slot = static_cast<std::byte*>(op.scratch.data) + i * slot_bytes;
            const std::size_t index = group[static_cast<std::size_t>(begin + i)];
            dispatch_float(op.compute, [&]<class T>() { Iteration<T>(cpu, op, products, shape, slot).run(index); });
        });
}

}  // namespace

void run(Cpu& cpu, const Orthogonalize& op) {
    if (op.gate && *op.gate.as<float>() == 0) return;
    for (const std::vector<std::size_t>& group : equal_shapes(op.x)) run_group(cpu, op, group);
}

}  // namespace steepest
