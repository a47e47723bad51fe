#include "ops/matmul.h"
#include "tests/ops/op_test.h"
#include "tests/reference/gelu.h"
#include "tests/reference/matmul.h"

namespace steepest::testing {
namespace {

template <class T>
struct Linear : ::testing::Test {};
TYPED_TEST_SUITE(Linear, FloatTypes, TypeName);

struct Sizes {
    std::int64_t N, C, O;
};

// Awkward sizes that meet each other in each place, and several tiles in each direction.
std::vector<Sizes> sizes() {
    const std::int64_t s[] = {1, 2, 3, 31, 33, 64, 127};
    std::vector<Sizes> all;
    for (int i = 0; i < 7; ++i)
        for (int shift = 1; shift < 7; shift += 2) all.push_back({s[i], s[(i + shift) % 7], s[(i + 3 * shift) % 7]});
    all.push_back({130, 768, 257});
    return all;
}

// A sum of `terms` products in f32: at most terms + 3 roundings with an epilogue's addition.
double sum_factor(std::int64_t terms) { return double(terms + 4) * kF32; }

template <class T>
void check_forward(Sizes z, bool with_bias) {
    const auto [N, C, O] = z;
    const Guarded<T> x({N, C}, normal(N * C, "x")), weight({O, C}, normal(O * C, "weight"));
    const Guarded<T> bias({O}, normal(O, "bias"));
    const auto [y, preactivation, activation] = on_all_backends([&](Device device) {
        Guarded<T> plain({N, O}), kept({N, O}), gelu({N, O});
        LinearForward op{.y = plain, .x = x, .weight = weight};
        if (with_bias) op.bias = bias;
        run(device, op);
        op.y = gelu, op.preactivation = kept;
        run(device, op);
        expect_intact(plain, kept, gelu);
        return std::tuple(plain.values(), kept.values(), gelu.values());
    });
    auto r = linear_reference(x.as_double(), weight.as_double(), N, C, O);
    if (with_bias)
        for (std::size_t i = 0; i < r.value.size(); ++i) {
            r.value[i] += double(bias.data()[i % O]);
            r.magnitude[i] += std::abs(double(bias.data()[i % O]));
        }
    expect_sums_close("y", y, r.value, r.magnitude, sum_factor(C), kStore<T>);
    EXPECT_TRUE(same_bytes(y, preactivation));
    // gelu of what was stored; its own error as in test_gelu.cpp: 122 roundings of a value up to |x|.
    std::vector<double> gelu(y.size()), size(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) gelu[i] = gelu_reference(double(y[i])), size[i] = std::abs(double(y[i]));
    expect_sums_close("gelu", activation, gelu, size, 122 * kF32, kStore<T>);
}

TYPED_TEST(Linear, ForwardMatchesTheReference) {
    for (const Sizes z : sizes())
        for (const bool with_bias : {true, false}) {
            SCOPED_TRACE(::testing::Message() << "N " << z.N << " C " << z.C << " O " << z.O << " bias " << with_bias);
            check_forward<TypeParam>(z, with_bias);
        }
}

TYPED_TEST(Linear, BackwardInputMatchesTheReference) {
    using T = TypeParam;
    for (const auto [N, C, O] : sizes()) {
        SCOPED_TRACE(::testing::Message() << "N " << N << " C " << C << " O " << O);
        const Guarded<T> dy({N, O}, normal(N * O, "dy")), weight({O, C}, normal(O * C, "weight"));
        const Guarded<T> preactivation({N, C}, normal(N * C, "preactivation", 2));
        const auto [plain, through_gelu] = on_all_backends([&, N = N, C = C](Device device) {
            Guarded<T> dx({N, C}), dz({N, C});
            run(device, LinearBackwardInput{.dx = dx, .dy = dy, .weight = weight});
            run(device, LinearBackwardInput{.dx = dz, .dy = dy, .weight = weight, .preactivation = preactivation});
            expect_intact(dx, dz);
            return std::tuple(dx.values(), dz.values());
        });
        auto r = linear_input_gradient_reference(dy.as_double(), weight.as_double(), N, C, O);
        expect_sums_close("dx", plain, r.value, r.magnitude, sum_factor(O), kStore<T>);
        for (std::int64_t i = 0; i < N * C; ++i) {
            // |gelu'| < 1.13; its absolute error is 134 roundings (test_gelu.cpp).
            r.value[i] *= gelu_derivative_reference(double(preactivation.data()[i]));
            r.magnitude[i] *= 1.13;
        }
        // Two stores, since a backend may round before it multiplies.
        expect_sums_close("dx through gelu", through_gelu, r.value, r.magnitude, sum_factor(O + 134), 2 * kStore<T>);
    }
}

TYPED_TEST(Linear, BackwardWeightMatchesTheReference) {
    using T = TypeParam;
    for (const auto [N, C, O] : sizes())
        for (const bool accumulate : {false, true}) {
            SCOPED_TRACE(::testing::Message() << "N " << N << " C " << C << " O " << O << " accumulate " << accumulate);
            const Guarded<T> dy({N, O}, normal(N * O, "dy")), x({N, C}, normal(N * C, "x"));
            const Guarded<float> before({O, C}, normal(O * C, "before")), bias_before({O}, normal(O, "bias before"));
            const auto [dweight, dbias] = on_all_backends([&, C = C, O = O](Device device) {
                Guarded<float> dw = accumulate ? before : Guarded<float>({O, C}), again = dw;
                Guarded<float> db = accumulate ? bias_before : Guarded<float>({O}), db_again = db;
                Guarded<float> alone = dw;
                const auto gradient = [&](Guarded<float>& to, Tensor bias) {
                    run(device,
                        LinearBackwardWeight{.dweight = to, .dbias = bias, .dy = dy, .x = x, .accumulate = accumulate});
                };
                gradient(dw, db), gradient(again, db_again), gradient(alone, {});
                EXPECT_TRUE(same_bytes(dw.values(), again.values()) && same_bytes(db.values(), db_again.values()));
                // Another epilogue may mean another algorithm, which adds in another order.
                EXPECT_TRUE(testing_cuda() || same_bytes(dw.values(), alone.values()));
                expect_intact(dw, db, again, db_again, alone);
                return std::tuple(dw.values(), db.values());
            });
            auto r = linear_weight_gradient_reference(dy.as_double(), x.as_double(), N, C, O);
            const auto sums = column_sums_reference(dy.as_double(), N, O);
            for (std::int64_t i = 0; accumulate && i < O * C; ++i)
                r.value[i] += double(before.data()[i]), r.magnitude[i] += std::abs(double(before.data()[i]));
            expect_sums_close("dweight", dweight, r.value, r.magnitude, sum_factor(N), kF32);
            expect_sums_close("dbias", dbias, sums.value, sums.magnitude, sum_factor(N), kF32);
        }
}

// bf16 operands, f32 results: the head's logits and gradients of the residual stream.
TEST(LinearMixed, Bf16OperandsF32Results) {
    const std::int64_t N = 33, C = 31, O = 65;
    const Guarded<bf16> x({N, C}, normal(N * C, "x")), weight({O, C}, normal(O * C, "weight")),
        dy({N, O}, normal(N * O, "dy"));
    Guarded<float> y({N, O}), dx({N, C});
    run(the_device(), LinearForward{.y = y, .x = x, .weight = weight});
    run(the_device(), LinearBackwardInput{.dx = dx, .dy = dy, .weight = weight});
    const auto forward = linear_reference(x.as_double(), weight.as_double(), N, C, O);
    const auto backward = linear_input_gradient_reference(dy.as_double(), weight.as_double(), N, C, O);
    expect_sums_close("y", y.values(), forward.value, forward.magnitude, sum_factor(C), kF32);
    expect_sums_close("dx", dx.values(), backward.value, backward.magnitude, sum_factor(O), kF32);
    expect_intact(y, dx);
}

}  // namespace
}  // namespace steepest::testing
