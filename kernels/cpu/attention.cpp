// Attention on the CPU: blocks of 64 queries by 64 keys, whose scores never leave the first two cache levels;
// everything inside is f32.
//
// Forward: a task is one head and a group of query blocks, which share each packed block of keys and values; running
// maximum and sum a row (Dao et al., algorithm 1). Backward: a task is one head, which walks the blocks once, keys
// outside and queries inside, so that dq, dk and dv are each summed by one worker in one order: five products a block,
// where independent passes for dq and for dk, dv would need seven.
#include "ops/attention.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/tile_product.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace steepest {
namespace {

using cpu::Part, cpu::TileProduct;

constexpr std::int64_t kBlock = 64;  // queries and keys a block
constexpr std::int64_t kGroup = 4;   // query blocks a task of the forward pass
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::int64_t blocks(std::int64_t n) { return (n + kBlock - 1) / kBlock; }

// Cuts one allocation into pieces that begin on cache lines.
class Pieces {
public:
    static std::int64_t size(std::int64_t count) { return cpu::round_up(count, 16); }
    explicit Pieces(float* at) : at_(at) {}
    float* take(std::int64_t count) {
        float* piece = at_;
        at_ += size(count);
        return piece;
    }

private:
    float* at_;
};

// Numbers common to both passes.
struct Sizes {
    std::int64_t T, C, heads, D, padded;  // padded: D rounded up to whole vectors
    float scale;

    Sizes(const Shape& out, int n_heads)
        : T(out[1]),
          C(out[2]),
          heads(n_heads),
          D(C / n_heads),
          padded(cpu::round_up(D, cpu::kTileColumns)),
          scale(1 / std::sqrt(static_cast<float>(D))) {}
    std::int64_t rows(std::int64_t block) const { return std::min(kBlock, T - block * kBlock); }
};

// to[r, d] = factor * from[r, d], zeros in columns [D, padded) and in rows up to a whole tile.
template <class T>
STEEPEST_SIMD void pack(float* to, const T* from, std::int64_t stride, std::int64_t rows, const Sizes& z,
                        float factor) {
    const std::int64_t D = z.D, padded = z.padded;
    for (std::int64_t r = 0; r < rows; ++r) {
        float* row = to + r * padded;
        const T* source = from + r * stride;
#pragma omp simd
        for (std::int64_t d = 0; d < D; ++d) row[d] = factor * float(source[d]);
        for (std::int64_t d = D; d < padded; ++d) row[d] = 0;
    }
    std::fill(to + rows * padded, to + cpu::round_up(rows, cpu::kTileRows) * padded, 0.0f);
}

// to[d, r] = from[r, d] with kBlock columns, zeros past `rows`.
template <class T>
STEEPEST_SIMD void pack_transposed(float* to, const T* from, std::int64_t stride, std::int64_t rows, const Sizes& z) {
    for (std::int64_t d = 0; d < z.D; ++d) {
        for (std::int64_t r = 0; r < rows; ++r) to[d * kBlock + r] = float(from[r * stride + d]);
        for (std::int64_t r = rows; r < kBlock; ++r) to[d * kBlock + r] = 0;
    }
}

// Row r of a block on the diagonal sees its first r + 1 columns.
STEEPEST_SIMD void mask_diagonal(float* scores) {
    for (std::int64_t r = 0; r < kBlock; ++r) {
        float* row = scores + r * kBlock;
#pragma omp simd
        for (std::int64_t c = 0; c < kBlock; ++c) row[c] = c <= r ? row[c] : -kInfinity;
    }
}

// Turns scores into probabilities relative to the rows' new running maxima, and brings sums and outputs to them.
STEEPEST_SIMD void softmax_update(float* scores, std::int64_t rows, float* max, float* sum, float* out,
                                  std::int64_t padded) {
    float rescale[kBlock];
    for (std::int64_t r = 0; r < rows; ++r) {
        const float* row = scores + r * kBlock;
        float highest = max[r];
#pragma omp simd reduction(max : highest)
        for (std::int64_t c = 0; c < kBlock; ++c) highest = row[c] > highest ? row[c] : highest;
        rescale[r] = max[r] - highest;
        max[r] = highest;
    }
#pragma omp simd
    for (std::int64_t r = 0; r < rows; ++r) rescale[r] = cpu::fast_exp(rescale[r]);
    for (std::int64_t r = 0; r < rows; ++r) {
        float* row = scores + r * kBlock;
        const float highest = max[r];
        float total = 0;
#pragma omp simd reduction(+ : total)
        for (std::int64_t c = 0; c < kBlock; ++c) {
            row[c] = cpu::fast_exp(row[c] - highest);
            total += row[c];
        }
        sum[r] = sum[r] * rescale[r] + total;
        float* o = out + r * padded;
        const float factor = rescale[r];
        if (factor != 1) {
#pragma omp simd
            for (std::int64_t d = 0; d < padded; ++d) o[d] *= factor;
        }
    }
}

template <class T>
STEEPEST_SIMD void store(T* to, std::int64_t stride, const float* from, std::int64_t rows, const Sizes& z,
                         float factor) {
    const std::int64_t D = z.D;
    for (std::int64_t r = 0; r < rows; ++r) {
        T* row = to + r * stride;
        const float* source = from + r * z.padded;
#pragma omp simd
        for (std::int64_t d = 0; d < D; ++d) cpu::assign(row[d], factor * source[d]);
    }
}

// p = exp(scores - lse), in place of scores;   ds = p (dp - delta), in place of dp.
STEEPEST_SIMD void probabilities_and_gradient(float* scores, float* dp, std::int64_t rows, const float* lse,
                                              const float* delta) {
    for (std::int64_t r = 0; r < rows; ++r) {
        float *p = scores + r * kBlock, *ds = dp + r * kBlock;
        const float log_sum = lse[r], row_delta = delta[r];
#pragma omp simd
        for (std::int64_t c = 0; c < kBlock; ++c) {
            p[c] = cpu::fast_exp(p[c] - log_sum);
            ds[c] = p[c] * (ds[c] - row_delta);
        }
    }
}

template <class T>
STEEPEST_SIMD void row_dots(float* dots, const T* a, const T* b, std::int64_t stride, const Sizes& z) {
    const std::int64_t D = z.D;
    for (std::int64_t r = 0; r < z.T; ++r) {
        const T *left = a + r * stride, *right = b + r * stride;
        float dot = 0;
#pragma omp simd reduction(+ : dot)
        for (std::int64_t d = 0; d < D; ++d) dot += float(left[d]) * float(right[d]);
        dots[r] = dot;
    }
}

// scores (n, kBlock) = left (n, D) times the keys or values of block j, transposed (D, kBlock).
TileProduct against_block(float* scores, const float* left, const float* transposed, std::int64_t n, bool diagonal,
                          const Sizes& z) {
    return {.c = scores,
            .c_row = kBlock,
            .a = left,
            .a_row = z.padded,
            .a_col = 1,
            .b = transposed,
            .b_row = kBlock,
            .rows = n,
            .cols = kBlock,
            .depth = z.D,
            .part = diagonal ? Part::lower_result : Part::whole};
}

// sums (n, padded) += weights (n, keys) times rows (keys, padded).
TileProduct weighted_rows(float* sums, const float* weights, const float* rows, std::int64_t n, std::int64_t keys,
                          bool diagonal, const Sizes& z) {
    return {.c = sums,
            .c_row = z.padded,
            .a = weights,
            .a_row = kBlock,
            .a_col = 1,
            .b = rows,
            .b_row = z.padded,
            .rows = n,
            .cols = z.padded,
            .depth = keys,
            .part = diagonal ? Part::lower_left : Part::whole,
            .accumulate = true};
}

template <class T>
void forward_group(const AttentionForward& op, const Sizes& z, std::int64_t b, std::int64_t h, std::int64_t first) {
    struct Scratch;
    const std::int64_t last = std::min(first + kGroup, blocks(z.T)), padded = z.padded, rows = (last - first) * kBlock;
    const std::int64_t size[] = {rows * padded, kBlock * z.D, kBlock * padded, kBlock * kBlock, rows};
    Pieces pieces(cpu::scratch<Scratch>(2 * Pieces::size(size[0]) + Pieces::size(size[1]) + Pieces::size(size[2]) +
                                        Pieces::size(size[3]) + 2 * Pieces::size(size[4])));
    float *q = pieces.take(size[0]), *out = pieces.take(size[0]), *kt = pieces.take(size[1]), *v = pieces.take(size[2]);
    float *scores = pieces.take(size[3]), *max = pieces.take(size[4]), *sum = pieces.take(size[4]);

    const std::int64_t stride = 3 * z.C;
    const T* head = op.qkv.as<T>() + b * z.T * stride + h * z.D;
    pack(q, head + first * kBlock * stride, stride, std::min(rows, z.T - first * kBlock), z, z.scale);
    std::fill_n(out, rows * padded, 0.0f);
    std::fill_n(max, rows, -kInfinity);
    std::fill_n(sum, rows, 0.0f);

    for (std::int64_t j = 0; j < last; ++j) {
        const std::int64_t keys = z.rows(j);
        pack_transposed(kt, head + z.C + j * kBlock * stride, stride, keys, z);
        pack(v, head + 2 * z.C + j * kBlock * stride, stride, keys, z, 1);
        for (std::int64_t i = std::max(first, j); i < last; ++i) {
            const std::int64_t at = (i - first) * kBlock, n = z.rows(i);
            const bool diagonal = i == j;
            run(against_block(scores, q + at * padded, kt, n, diagonal, z));
            if (diagonal) mask_diagonal(scores);
            softmax_update(scores, n, max + at, sum + at, out + at * padded, padded);
            run(weighted_rows(out + at * padded, scores, v, n, keys, diagonal, z));
        }
    }
    float* lse = op.lse.as<float>() + (b * z.heads + h) * z.T;
    for (std::int64_t t = first * kBlock; t < std::min(last * kBlock, z.T); ++t) {
        const std::int64_t r = t - first * kBlock;
        lse[t] = max[r] + std::log(sum[r]);
        store(op.out.as<T>() + (b * z.T + t) * z.C + h * z.D, z.C, out + r * padded, 1, z, 1 / sum[r]);
    }
}

template <class T>
void backward_head(const AttentionBackward& op, const Sizes& z, std::int64_t b, std::int64_t h) {
    struct Scratch;
    const std::int64_t padded = z.padded, n_blocks = blocks(z.T), rows = n_blocks * kBlock;
    const std::int64_t all = rows * padded, block = kBlock * padded, block_t = kBlock * z.D, square = kBlock * kBlock;
    Pieces pieces(cpu::scratch<Scratch>(3 * Pieces::size(all) + Pieces::size(rows) + 3 * Pieces::size(block) +
                                        2 * Pieces::size(block_t) + 2 * Pieces::size(square)));
    float *q = pieces.take(all), *dout = pieces.take(all), *dq = pieces.take(all), *delta = pieces.take(rows);
    float *k = pieces.take(block), *dk = pieces.take(block), *dv = pieces.take(block);
    float *kt = pieces.take(block_t), *vt = pieces.take(block_t), *scores = pieces.take(square),
          *dp = pieces.take(square);

    const std::int64_t stride = 3 * z.C;
    const T* head = op.qkv.as<T>() + b * z.T * stride + h * z.D;
    T* gradient = op.dqkv.as<T>() + b * z.T * stride + h * z.D;
    const std::int64_t out_at = b * z.T * z.C + h * z.D;
    const float* lse = op.lse.as<float>() + (b * z.heads + h) * z.T;
    pack(q, head, stride, z.T, z, z.scale);
    pack(dout, op.dout.as<T>() + out_at, z.C, z.T, z, 1);
    row_dots(delta, op.dout.as<T>() + out_at, op.out.as<T>() + out_at, z.C, z);
    std::fill_n(dq, all, 0.0f);

    for (std::int64_t j = 0; j < n_blocks; ++j) {
        const std::int64_t keys = z.rows(j), from = j * kBlock * stride;
        pack(k, head + z.C + from, stride, keys, z, 1);
        pack_transposed(kt, head + z.C + from, stride, keys, z);
        pack_transposed(vt, head + 2 * z.C + from, stride, keys, z);
        for (std::int64_t i = j; i < n_blocks; ++i) {
            const std::int64_t at = i * kBlock * padded, n = z.rows(i);
            const bool diagonal = i == j;
            run(against_block(scores, q + at, kt, n, diagonal, z));
            if (diagonal) mask_diagonal(scores);
            run(against_block(dp, dout + at, vt, n, diagonal, z));
            probabilities_and_gradient(scores, dp, n, lse + i * kBlock, delta + i * kBlock);

            // Sums over queries: p and ds are read by columns. The diagonal block is the first, so it need not add.
            const TileProduct to_values{.c = dv,
                                        .c_row = padded,
                                        .a = scores,
                                        .a_row = 1,
                                        .a_col = kBlock,
                                        .b = dout + at,
                                        .b_row = padded,
                                        .rows = keys,
                                        .cols = padded,
                                        .depth = n,
                                        .part = diagonal ? Part::upper_left : Part::whole,
                                        .accumulate = !diagonal};
            run(to_values);
            TileProduct to_keys = to_values;
            to_keys.c = dk, to_keys.a = dp, to_keys.b = q + at;
            run(to_keys);
            run(weighted_rows(dq + at, dp, k, n, keys, diagonal, z));
        }
        store(gradient + z.C + from, stride, dk, keys, z, 1);
        store(gradient + 2 * z.C + from, stride, dv, keys, z, 1);
    }
    store(gradient, stride, dq, z.T, z, z.scale);
}

}  // namespace

void run(Cpu& cpu, const AttentionForward& op) {
    const Sizes z(op.out.shape, op.heads);
    const std::int64_t heads = op.out.shape[0] * z.heads, groups = (blocks(z.T) + kGroup - 1) / kGroup;
    dispatch_float(op.out.dtype, [&]<class T>() {
        // Late rows see the most keys: they go first, so that no worker is left alone with one at the end.
        cpu.parallel_for(groups * heads, [&](std::int64_t i) {
            forward_group<T>(op, z, i % heads / z.heads, i % z.heads, (groups - 1 - i / heads) * kGroup);
        });
    });
}

void run(Cpu& cpu, const AttentionBackward& op) {
    const Sizes z(op.out.shape, op.heads);
    dispatch_float(op.out.dtype, [&]<class T>() {
        cpu.parallel_for(op.out.shape[0] * z.heads,
                         [&](std::int64_t i) { backward_head<T>(op, z, i / z.heads, i % z.heads); });
    });
}

}  // namespace steepest
