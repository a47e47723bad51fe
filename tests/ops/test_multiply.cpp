// Products of lists against the same in double: every orientation, sides that are and are not multiples of 16 bytes.
#include "ops/multiply.h"
#include "tests/ops/op_test.h"
#include "tests/reference/multiply.h"

#include <deque>

namespace steepest {
namespace {

using namespace testing;
using reference::Dense;

struct Sides {
    std::int64_t rows, cols, depth;
};
// Vectors, odd sides, tiles' edges, equal shapes one after the other, and nothing to add up.
const std::vector<Sides> kSides = {{64, 64, 64}, {1, 1, 1},    {5, 7, 3},     {40, 24, 16},
                                   {40, 24, 16}, {40, 24, 16}, {33, 65, 130}, {130, 68, 8},
                                   {128, 1, 96}, {1, 96, 33},  {12, 20, 0},   {24, 24, 200}};

struct Numbers {
    float alpha, beta, identity;
};

struct List {
    std::deque<Guarded<float>> tensors;
    std::vector<Dense> dense;

    void add(std::int64_t rows, std::int64_t cols, const std::string& purpose) {
        tensors.emplace_back(Shape{rows, cols}, normal(rows * cols, purpose));
        dense.emplace_back(rows, cols, tensors.back().as_double());
    }
    TensorList list() {
        TensorList all;
        for (auto& t : tensors) all.push_back(t);
        return all;
    }
};

enum class Which { plain, left, right };

void expect_products(Which transposed, Numbers n, bool in_place) {
    const bool left = transposed == Which::left, right = transposed == Which::right;
    on_all_backends([&](Device device) {
        List a, b, d, c;
        for (std::size_t i = 0; i < kSides.size(); ++i) {
            const auto [rows, cols, depth] = kSides[i];
            const std::string key = std::to_string(i);
            left ? a.add(depth, rows, "a" + key) : a.add(rows, depth, "a" + key);
            right ? b.add(cols, depth, "b" + key) : b.add(depth, cols, "b" + key);
            d.add(rows, cols, "d" + key);
            c.tensors.emplace_back(Shape{rows, cols});
        }
        List& out = in_place ? d : c;
        run(device, Multiply{.c = out.list(),
                             .a = a.list(),
                             .b = b.list(),
                             .d = n.beta == 0 ? TensorList{} : d.list(),
                             .transpose_a = left,
                             .transpose_b = right,
                             .alpha = n.alpha,
                             .beta = n.beta,
                             .identity = n.identity});
        std::vector<float> bytes;
        for (std::size_t i = 0; i < kSides.size(); ++i) {
            const reference::Product expected =
                reference::multiply(left ? a.dense[i].t() : a.dense[i], right ? b.dense[i].t() : b.dense[i], d.dense[i],
                                    n.alpha, n.beta, n.identity);
            // A rounding a term, and one each for alpha, beta and the identity.
            expect_sums_close("product " + std::to_string(i), out.tensors[i].values(), expected.value.data,
                              expected.magnitude.data, double(kSides[i].depth + 3) * kF32, kF32);
            expect_intact(out.tensors[i]);
            const auto values = out.tensors[i].values();
            bytes.insert(bytes.end(), values.begin(), values.end());
        }
        return std::tuple(bytes);
    });
}

TEST(Multiply, EqualsTheProductInDouble) {
    for (const Which transposed : {Which::plain, Which::left, Which::right}) {
        expect_products(transposed, {1, 0, 0}, false);
        expect_products(transposed, {-0.5f, 2, 0.25f}, false);
        expect_products(transposed, {1, -1, 0}, true);
    }
}

// Of a matrix with itself, and of two that commute: the same numbers as without the flag but for rounding, and exactly
// symmetric.
TEST(Multiply, SymmetricResultsAreSymmetric) {
    for (const Shape shape : {Shape{64, 128}, Shape{150, 40}, Shape{33, 21}, Shape{4, 4}}) {
        const std::int64_t side = shape[0];
        on_all_backends([&](Device device) {
            Guarded<float> x(shape, normal(shape.count(), to_string(shape))), gram(Shape{side, side}),
                square(Shape{side, side}), other(Shape{shape[1], shape[1]});
            run(device, Multiply{.c = {gram}, .a = {x}, .b = {x}, .transpose_b = true, .symmetric = true});
            run(device, Multiply{.c = {other}, .a = {x}, .b = {x}, .transpose_a = true, .symmetric = true});
            run(device, Multiply{.c = {square},
                                 .a = {gram},
                                 .b = {gram},
                                 .d = {gram},
                                 .symmetric = true,
                                 .alpha = 0.01f,
                                 .beta = -0.5f,
                                 .identity = 3});
            const Dense X(shape[0], shape[1], x.as_double()), G(side, side, gram.as_double());
            const auto check = [&](const Guarded<float>& got, const reference::Product& expected, std::int64_t depth) {
                expect_sums_close(to_string(shape), got.values(), expected.value.data, expected.magnitude.data,
                                  double(depth + 3) * kF32, kF32);
                const auto v = got.values();
                const auto n = static_cast<std::int64_t>(std::sqrt(double(v.size())));
                for (std::int64_t i = 0; i < n; ++i)
                    for (std::int64_t j = 0; j < i; ++j) EXPECT_EQ(v[i * n + j], v[j * n + i]);
                expect_intact(got);
            };
            check(gram, reference::multiply(X, X.t(), Dense(side, side), 1, 0, 0), shape[1]);
            check(other, reference::multiply(X.t(), X, Dense(shape[1], shape[1]), 1, 0, 0), shape[0]);
            check(square, reference::multiply(G, G, G, 0.01f, -0.5, 3), side);
            return std::tuple(gram.values(), other.values(), square.values());
        });
    }
}

TEST(Multiply, DoesNothingBehindAClosedGate) {
    Guarded<float> a(Shape{8, 8}, normal(64, "a")), c(Shape{8, 8}, normal(64, "c")), gate(Shape{1}, {0});
    const auto before = c.values();
    run(the_device(), Multiply{.c = {c}, .a = {a}, .b = {a}, .gate = gate});
    EXPECT_TRUE(same_bytes(c.values(), before));
}

TEST(Multiply, RefusesSidesThatDoNotMatch) {
    Guarded<float> a(Shape{8, 4}), b(Shape{8, 4}), c(Shape{8, 8});
    const Device device = the_device();
    EXPECT_THROW(run(device, Multiply{.c = {c}, .a = {a}, .b = {b}}), ShapeError);
    EXPECT_THROW(run(device, Multiply{.c = {c}, .a = {a}, .b = {b}, .transpose_a = true}), ShapeError);
    EXPECT_THROW(run(device, Multiply{.c = {c}, .a = {a}, .b = {b}, .transpose_a = true, .transpose_b = true}),
                 ShapeError);
    EXPECT_THROW(run(device, Multiply{.c = {c}, .a = {a}, .b = {b}, .d = {a}, .transpose_b = true}), ShapeError);
}

}  // namespace
}  // namespace steepest
