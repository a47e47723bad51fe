#include "ops/layernorm.h"
#include "tests/ops/op_test.h"
#include "tests/reference/layernorm.h"

namespace steepest::testing {
namespace {

template <class T>
struct LayerNorm : ::testing::Test {};
TYPED_TEST_SUITE(LayerNorm, FloatTypes, TypeName);

constexpr std::int64_t kRows = 37;  // two whole chunks of rows and a rest
constexpr double kEps = 1e-5;

// Error of (x - mean) rstd, for C f32 additions of values up to `size`: that of the mean, and through it that of rstd.
double normed_error(std::int64_t C, double size, double rstd) {
    const double mean = double(C + 1) * kF32 * size * rstd, normed = std::sqrt(double(C));
    return mean + normed * (double(C + 6) * kF32 + mean);
}

template <class T>
void check_forward(std::int64_t C, bool with_residual, bool with_bias) {
    const Guarded<float> weight({C}, normal(C, "weight")), bias({C}, normal(C, "bias"));
    const auto [y, mean, rstd, sum, sum_exact, sum_stored] = on_all_backends([&](Device device) {
        const Guarded<T> x({kRows, C}, normal(kRows * C, "x")), residual({kRows, C}, normal(kRows * C, "residual"));
        Guarded<T> out({kRows, C}), total({kRows, C});
        Guarded<float> m({kRows}), s({kRows});
        LayerNormForward op{.y = out, .mean = m, .rstd = s, .x = x, .weight = weight, .eps = float(kEps)};
        if (with_residual) op.sum = total, op.residual = residual;
        if (with_bias) op.bias = bias;
        run(device, op);
        expect_intact(out, m, s, total);
        auto exact = x.as_double();
        if (with_residual)
            for (std::size_t i = 0; i < exact.size(); ++i) exact[i] += double(residual.data()[i]);
        return std::tuple(out.values(), m.values(), s.values(), total.values(), exact,
                          with_residual ? total.as_double() : exact);
    });
    if (with_residual) expect_close("sum", sum, sum_exact, {.absolute = 0, .relative = kStore<T>});

    // The statistics are those of the sum as stored.
    const auto r =
        layernorm_reference(sum_stored, weight.as_double(), with_bias ? bias.as_double() : std::vector<double>{}, kEps);
    const double size = largest(sum_stored), error = normed_error(C, size, largest(r.rstd));
    expect_close("mean", mean, r.mean, {.absolute = double(C + 1) * kF32 * size, .relative = kF32});
    expect_close("rstd", rstd, r.rstd,
                 {.absolute = 0, .relative = double(C + 6) * kF32 + 2 * error / std::sqrt(double(C))});
    expect_close("y", y, r.y,
                 {.absolute = largest(weight.as_double()) * error + 4 * kF32 * largest(r.y), .relative = kStore<T>});
}

TYPED_TEST(LayerNorm, ForwardMatchesTheReference) {
    for (const std::int64_t C : {1, 2, 3, 31, 33, 64, 127, 768}) {
        SCOPED_TRACE(C);
        check_forward<TypeParam>(C, false, true);
        check_forward<TypeParam>(C, true, true);
        check_forward<TypeParam>(C, true, false);
    }
}

// x = 1 + tiny alternating steps: the variance is comparable to eps, so that a wrong eps shows, and mean(x^2) - mean^2
// would cancel.
TYPED_TEST(LayerNorm, SmallVarianceAndConstantRows) {
    using T = TypeParam;
    constexpr std::int64_t C = 64;
    std::vector<double> values(2 * C, 1.0);
    for (std::int64_t c = 0; c < C; ++c) values[c] = 1 + (c % 2 ? 1 : -1) * 0x1p-7;
    const Guarded<T> x({2, C}, values);
    const Guarded<float> weight({C}, std::vector<double>(C, 2.0)), bias({C}, std::vector<double>(C, 0.5));
    Guarded<T> y({2, C});
    Guarded<float> mean({2}), rstd({2});
    run(the_device(), LayerNormForward{.y = y, .mean = mean, .rstd = rstd, .x = x, .weight = weight, .bias = bias});
    // All sums here are exact in f32; eps, its addition, the root and the quotient round.
    const double rstd0 = 1 / std::sqrt(0x1p-14 + 1e-5), rstd1 = 1 / std::sqrt(1e-5);
    expect_close("rstd", rstd.values(), {rstd0, rstd1}, {.absolute = 0, .relative = 4 * kF32});
    for (std::int64_t c = 0; c < C; ++c) values[c] = (values[c] - 1) * rstd0 * 2 + 0.5, values[C + c] = 0.5;
    expect_close("y", y.values(), values, {.absolute = 8 * kF32, .relative = kStore<T>});
}

template <class T>
void check_backward(std::int64_t C, bool with_residual, bool with_bias, bool accumulate) {
    const auto x_values = normal(kRows * C, "x");
    const auto statistics =
        layernorm_reference(Guarded<T>({kRows, C}, x_values).as_double(), std::vector<double>(C, 1), {}, kEps);
    const Guarded<T> x({kRows, C}, x_values), dy({kRows, C}, normal(kRows * C, "dy"));
    const Guarded<T> residual({kRows, C}, normal(kRows * C, "residual"));
    const Guarded<float> weight({C}, normal(C, "weight")), mean({kRows}, statistics.mean),
        rstd({kRows}, statistics.rstd);
    const Guarded<float> before({C}, normal(C, "before"));

    const auto [dx, dweight, dbias] = on_all_backends([&](Device device) {
        Guarded<T> out({kRows, C});
        Guarded<float> dw = accumulate ? before : Guarded<float>({C}), db = dw;
        LayerNormBackward op{.dx = out,
                             .dweight = dw,
                             .dy = dy,
                             .x = x,
                             .weight = weight,
                             .mean = mean,
                             .rstd = rstd,
                             .accumulate = accumulate};
        if (with_residual) op.residual = residual;
        if (with_bias) op.dbias = db;
        run(device, op);
        expect_intact(out, dw, db);
        return std::tuple(out.values(), dw.values(), db.values());
    });

    auto r =
        layernorm_gradient_reference(dy.as_double(), x.as_double(), weight.as_double(), mean.as_double(),
                                     rstd.as_double(), with_residual ? residual.as_double() : std::vector<double>{});
    double normed = 0;
    for (std::int64_t i = 0; i < kRows * C; ++i)
        normed =
            std::max(normed, std::abs((double(x.data()[i]) - double(mean.data()[i / C])) * double(rstd.data()[i / C])));
    // Mean and rstd are given, so each term carries at most 8 roundings, and the two means C additions.
    const double g = largest(dy.as_double()) * largest(weight.as_double());
    expect_close("dx", dx, r.dx,
                 {.absolute = largest(rstd.as_double()) * double(C + 8) * kF32 * g * (2 + normed * normed) +
                              2 * kF32 * largest(r.dx),
                  .relative = kStore<T>});
    const auto old = accumulate ? before.as_double() : std::vector<double>(C);
    for (std::int64_t c = 0; c < C; ++c) r.dweight[c] += old[c], r.dbias[c] += old[c];
    const double terms = double(kRows) * largest(dy.as_double()) * std::max(1.0, normed) + largest(old);
    const Tolerance sums{.absolute = double(kRows + 6) * kF32 * terms, .relative = kF32};
    expect_close("dweight", dweight, r.dweight, sums);
    if (with_bias) expect_close("dbias", dbias, r.dbias, sums);
}

TYPED_TEST(LayerNorm, BackwardMatchesTheReference) {
    for (const std::int64_t C : {1, 2, 3, 31, 33, 64, 127, 768}) {
        SCOPED_TRACE(C);
        check_backward<TypeParam>(C, true, true, false);
        check_backward<TypeParam>(C, true, true, true);
        check_backward<TypeParam>(C, false, false, false);
    }
}

// sum over x and residual in turn; dx over dy and over residual.
TYPED_TEST(LayerNorm, AliasesGiveTheSameBytes) {
    using T = TypeParam;
    constexpr std::int64_t C = 33;
    const Shape shape{kRows, C};
    const auto a = normal(kRows * C, "a"), b = normal(kRows * C, "b");
    const Guarded<float> weight({C}, normal(C, "weight"));
    Guarded<float> mean({kRows}), rstd({kRows}), dweight({C});
    std::vector<std::vector<T>> sums, gradients;
    for (int alias = 0; alias < 3; ++alias) {
        Guarded<T> x(shape, a), residual(shape, b), sum(shape), y(shape);
        Guarded<T>& target = alias == 0 ? sum : alias == 1 ? x : residual;
        run(the_device(),
            LayerNormForward{
                .y = y, .mean = mean, .rstd = rstd, .sum = target, .x = x, .residual = residual, .weight = weight});
        sums.push_back(target.values());

        Guarded<T> dy(shape, a), past(shape, b), dx(shape);
        const Guarded<T> input(shape, normal(kRows * C, "input"));
        Guarded<T>& out = alias == 0 ? dx : alias == 1 ? dy : past;
        run(the_device(), LayerNormBackward{.dx = out,
                                            .dweight = dweight,
                                            .dy = dy,
                                            .x = input,
                                            .weight = weight,
                                            .mean = mean,
                                            .rstd = rstd,
                                            .residual = past});
        gradients.push_back(out.values());
    }
    for (int alias = 1; alias < 3; ++alias)
        EXPECT_TRUE(same_bytes(sums[0], sums[alias]) && same_bytes(gradients[0], gradients[alias])) << alias;
}

}  // namespace
}  // namespace steepest::testing
