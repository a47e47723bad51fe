// Runs the kernels that memory limits, and attention, once each at a size where their sums between blocks no longer
// count, and prints what each must move at least. check.py compares with what the GPU in software has counted.
#include "ops/attention.h"
#include "ops/axis.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/gelu.h"
#include "ops/layernorm.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/orthogonalize.h"
#include "tests/harness.h"

#include <cstdio>
#include <initializer_list>
#include <set>

namespace steepest::testing {
namespace {

// Of the kernels of a case, those whose name has `kernel` in it, or all; no others are compared.
struct Part {
    const char* kernel;
    double least;            // bytes: each operand once, what is updated in place twice
    double bound = 1.1;      // of what is moved, in multiples of `least`
    double every_block = 0;  // bytes that each block reads of the same weights; they count once a launch
    bool must = true;        // nothing can move less
};

int cases = 0;
Device device() { return the_device(); }

template <class T>
Tensor values(Shape shape, const char* name, double size = 1) {
    static std::vector<Guarded<T>> kept;
    kept.reserve(256);  // tensors point into them
    return kept.emplace_back(shape, normal(shape.count(), name, size));
}
Tensor number(double x) {
    Tensor t = values<float>({1}, "number");
    settle();
    *static_cast<float*>(t.data) = static_cast<float>(x);
    return t;
}
Tensor tokens(Shape shape, std::int32_t vocabulary) {
    Tensor t = values<std::int32_t>(shape, "tokens");
    settle();
    const Random random(1, "tokens");
    for (std::int64_t i = 0; i < shape.count(); ++i)
        static_cast<std::int32_t*>(t.data)[i] = static_cast<std::int32_t>(random.below(vocabulary, i));
    return t;
}

// In the report, a memset of 4 n + 1 bytes begins the n-th case.
template <class Op>
void count(const char* name, const Op& op, std::initializer_list<Part> parts) {
    static Guarded<float> mark({1 << 10});
    fill_zero(device(), mark.data(), 4 * ++cases + 1);
    run(device(), op);
    settle();
    for (const Part& p : parts)
        std::printf(
            "%s{\"case\": %d, \"name\": \"%s\", \"kernel\": \"%s\", \"least\": %.0f, \"bound\": %g, "
            "\"every_block\": %.0f, \"must\": %s}",
            cases == 1 && &p == parts.begin() ? "" : ",\n", cases, name, p.kernel, p.least, p.bound, p.every_block,
            p.must ? "true" : "false");
}

void norms() {
    const std::int64_t N = 2048, C = 768, n = 32768, c = 128;
    const Tensor weight = values<float>({C}, "weight"), bias = values<float>({C}, "bias");
    LayerNormForward forward{.y = values<bf16>({N, C}, "y"),
                             .mean = values<float>({N}, "mean"),
                             .rstd = values<float>({N}, "rstd"),
                             .sum = values<bf16>({N, C}, "sum"),
                             .x = values<bf16>({N, C}, "x"),
                             .residual = values<bf16>({N, C}, "residual"),
                             .weight = weight,
                             .bias = bias};
    count("LayerNorm with its residual", forward, {{"", 8.0 * N * C + 8.0 * N + 8.0 * C, 1.1, 8.0 * C}});
    // The blocks' sums are 3 % where a block has as many rows as at GPT-2's sizes.
    count("LayerNorm backward",
          LayerNormBackward{.dx = values<bf16>({n, c}, "dx"),
                            .dweight = values<float>({c}, "dweight"),
                            .dbias = values<float>({c}, "dbias"),
                            .dy = values<bf16>({n, c}, "dy"),
                            .x = values<bf16>({n, c}, "x"),
                            .weight = values<float>({c}, "weight"),
                            .mean = values<float>({n}, "mean"),
                            .rstd = values<float>({n}, "rstd"),
                            .residual = values<bf16>({n, c}, "residual")},
          {{"", 8.0 * n * c + 8.0 * n + 12.0 * c, 1.1, 4.0 * c}});
}

// As a kernel, which it is where the library has no epilogue for it; check.py sees to that.
void bias_gradient() {
    const std::int64_t N = 16384, O = 256, C = 8;
    count("bias gradient",
          LinearBackwardWeight{.dweight = values<float>({O, C}, "dweight"),
                               .dbias = values<float>({O}, "dbias"),
                               .dy = values<bf16>({N, O}, "dy"),
                               .x = values<bf16>({N, C}, "x")},
          {{"column_sums", 2.0 * N * O}});
}

void elements() {
    const std::int64_t n = 1 << 19;
    const auto list = [&](const char* name) { return TensorList{values<float>({512, 1024}, name)}; };
    const Tensor x = values<bf16>({512, 1024}, "x"), y = values<bf16>({512, 1024}, "y");
    count("gelu", GeluForward{.y = y, .x = x}, {{"", 4.0 * n}});
    count("gelu backward", GeluBackward{.dx = y, .dy = y, .x = x}, {{"", 6.0 * n}});
    const TensorList u = list("u"), m = list("m"), v = list("v"), g = list("g");
    const Tensor one = number(1), half = number(0.5);
    fill_zero(device(), v[0].data, v[0].bytes());
    count("momentum", DualEma{.u = u, .m = m, .g = g, .gradient_scale = one, .b1 = half, .b2 = half}, {{"", 16.0 * n}});
    count("Adam",
          AdamEstimate{.u = g,
                       .m = m,
                       .v = v,
                       .g = g,
                       .gradient_scale = one,
                       .b1 = half,
                       .b2 = half,
                       .m_correction = one,
                       .v_correction = one,
                       .epsilon = 1e-8f},
          {{"", 24.0 * n}});
    count("sign", Sign{.x = u}, {{"", 8.0 * n}});
    count(
        "weight update",
        WeightUpdate{
            .weights = m, .copies = {y}, .directions = g, .factors = {1}, .learning_rate = half, .weight_decay = half},
        {{"", 14.0 * n}});
    count("sum of squares", SumOfSquares{.sums = number(0), .list = g}, {{"", 4.0 * n}});
    const TensorList rows = {values<float>({512}, "rows")}, columns = {values<float>({1024}, "columns")};
    count("norms of rows", AxisSquares{.sums = rows, .x = g, .axis = Axis::rows}, {{"", 4.0 * n}});
    count("norms of columns", AxisSquares{.sums = columns, .x = g, .axis = Axis::columns}, {{"", 4.0 * n}});
    count("rows divided", DivideByRoots{.x = g, .values = rows, .axis = Axis::rows}, {{"", 8.0 * n}});
    count("columns divided", DivideByRoots{.x = g, .values = columns, .axis = Axis::columns}, {{"", 8.0 * n}});
}

void ends() {
    const std::int64_t B = 4, T = 512, C = 256, N = B * T, V = 50257, Vp = 50304, rows = 16;
    const Tensor ids = tokens({B, T}, 1 << 14);
    count("embedding",
          EmbeddingForward{.y = values<bf16>({B, T, C}, "y"),
                           .tokens = ids,
                           .wte = values<bf16>({1 << 14, C}, "wte"),
                           .wpe = values<bf16>({T, C}, "wpe")},
          {{"", 6.0 * N * C + 4.0 * N}});
    const auto* first = static_cast<const std::int32_t*>(ids.data);
    const double occurring = static_cast<double>(std::set<std::int32_t>(first, first + N).size());
    count(
        "embedding backward",
        EmbeddingBackward{.dwte = values<float>({1 << 14, C}, "dwte"),
                          .dwpe = values<float>({T, C}, "dwpe"),
                          .dy = values<bf16>({B, T, C}, "dy"),
                          .tokens = ids},
        {{"add_to_positions", 2.0 * N * C + 4.0 * T * C}, {"add_pieces", 2.0 * N * C + 8.0 * occurring * C + 8.0 * N}});
    const Tensor logits = values<bf16>({rows, Vp}, "logits");
    count("cross-entropy",
          CrossEntropy{.loss = values<float>({rows}, "loss"),
                       .dlogits = logits,
                       .logits = logits,
                       .targets = tokens({rows, 1}, V),
                       .vocab = V},
          {{"", 4.0 * rows * Vp + 8.0 * rows}});
}

// A tall and a wide matrix at once, one step of the iteration, its products not compared.
void orthogonalized(DType compute) {
    const std::int64_t n = 2 * 256 * 512;
    Orthogonalize op{.x = {values<float>({256, 512}, "wide"), values<float>({512, 256}, "tall")},
                     .scratch = {},
                     .coefficients = {{3.4445, -4.7750, 2.0315}},
                     .compute = compute};
    const std::int64_t bytes = Orthogonalize::scratch_bytes({op.x[0].shape, op.x[1].shape}, compute, 1 << 30);
    op.scratch = values<float>({bytes / 4}, "scratch");
    const double size = static_cast<double>(size_of(compute));
    count(compute == DType::bf16 ? "Newton-Schulz, bf16" : "Newton-Schulz, f32", op,
          {{"sum_squares", 4.0 * n}, {"gather", (4 + size) * n}, {"scatter", (4 + size) * n}});
}

// A block reads more than it owns, so the measure is what the blocks of the published algorithm would read: Dao 2023,
// arXiv:2307.08691, algorithm 2, as its authors' code cuts it for heads of 64: 128 keys a block, 128 queries a step; dq
// is added up in f32, which is cleared before and rounded after, and dout . out is computed by a launch of its own.
double published_backward(std::int64_t heads, std::int64_t T, std::int64_t D) {
    constexpr std::int64_t kTile = 128;
    double bytes = 0;
    for (std::int64_t key = 0; key < T; key += kTile) {
        bytes += 8.0 * kTile * D;                                         // k, v read, dk, dv written
        bytes += static_cast<double>(T - key) * (4.0 * D + 8 + 8.0 * D);  // q, dout, two statistics; dq
    }
    bytes += static_cast<double>(T) * (4.0 * D + 4 + 4.0 * D + 6.0 * D);
    return static_cast<double>(heads) * bytes;
}

void attention() {
    const std::int64_t B = 2, T = 512, heads = 2, D = 64, C = heads * D;
    const Tensor qkv = values<bf16>({B, T, 3 * C}, "qkv"), out = values<bf16>({B, T, C}, "out");
    const Tensor lse = values<float>({B, heads, T}, "lse");
    count("attention", AttentionForward{.out = out, .lse = lse, .qkv = qkv, .heads = heads}, {});
    count("attention backward",
          AttentionBackward{.dqkv = values<bf16>({B, T, 3 * C}, "dqkv"),
                            .dout = values<bf16>({B, T, C}, "dout"),
                            .out = out,
                            .lse = lse,
                            .qkv = qkv,
                            .heads = heads},
          {{"", published_backward(B * heads, T, D), 1.5, 0, false}});
}

}  // namespace
}  // namespace steepest::testing

int main() {
    using namespace steepest;
    using namespace steepest::testing;
    std::printf("[");
    norms(), bias_gradient(), elements(), ends(), orthogonalized(DType::bf16), orthogonalized(DType::f32), attention();
    std::printf("]\n");
}
