// Sums, norms and the decision of a step.
#include "ops/finite_difference.h"
#include "ops/norm.h"
#include "tests/close.h"
#include "tests/ops/list.h"
#include "tests/reference/norm.h"

#include <limits>

namespace steepest {
namespace {

using namespace testing;

// Products and sums are in double, so only the result is rounded; 1e-3 of that for the double's own roundings.
constexpr Tolerance kOneRounding = {0, 1.001 * kF32};

TEST(SumOfSquares, OneValueATensor) {
    List x("x");
    std::vector<double> expected;
    for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(reference::sum_of_squares(x[i]));
    const auto got = on_all_backends([&](Device device) {
        Guarded<float> sums(Shape{static_cast<std::int64_t>(x.size())});
        run(device, SumOfSquares{.sums = sums, .list = x.tensors()});
        EXPECT_TRUE(sums.guards_intact());
        return Outputs{sums.values()};
    });
    expect_close("sums", got[0], expected, kOneRounding);
}

TEST(SumOfSquares, OneValueForTheList) {
    List x("x");
    reference::Arrays arrays;
    for (std::size_t i = 0; i < x.size(); ++i) arrays.push_back(x[i]);
    const auto got = on_all_backends([&](Device device) {
        Guarded<float> sum(Shape{1});
        run(device, SumOfSquares{.sums = sum, .list = x.tensors()});
        return Outputs{sum.values()};
    });
    expect_close("sum", got[0], {reference::sum_of_squares(arrays)}, kOneRounding);
}

TEST(Dot, OneValueATensor) {
    List a("a"), b("b");
    std::vector<double> expected, size;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto x = a[i], y = b[i];
        expected.push_back(0), size.push_back(0);
        for (std::size_t k = 0; k < x.size(); ++k) expected[i] += x[k] * y[k], size[i] += std::abs(x[k] * y[k]);
    }
    const auto got = on_all_backends([&](Device device) {
        Guarded<float> sums(Shape{static_cast<std::int64_t>(a.size())});
        run(device, Dot{.sums = sums, .a = a.tensors(), .b = b.tensors()});
        EXPECT_TRUE(sums.guards_intact());
        return Outputs{sums.values()};
    });
    // Terms cancel: the double's own roundings are of their size.
    for (std::size_t i = 0; i < a.size(); ++i)
        expect_close(std::to_string(i), std::vector<float>{got[0][i]}, {expected[i]}, {1e-6 * kF32 * size[i], kF32});
}

TEST(SumOfRoots, OneValueATensor) {
    List x = List("x").map([](double v) { return v * v; });
    std::vector<double> expected;
    for (std::size_t i = 0; i < x.size(); ++i) {
        expected.push_back(0);
        for (const double v : x[i]) expected[i] += std::sqrt(v);
    }
    const auto got = on_all_backends([&](Device device) {
        Guarded<float> sums(Shape{static_cast<std::int64_t>(x.size())});
        run(device, SumOfRoots{.sums = sums, .list = x.tensors()});
        EXPECT_TRUE(sums.guards_intact());
        return Outputs{sums.values()};
    });
    expect_close("sums", got[0], expected, kOneRounding);
}

TEST(SumOfSquares, AnEmptyListIsZero) {
    Guarded<float> sum(Shape{1}), none(Shape{0});
    run(the_device(), SumOfSquares{.sums = sum, .list = {}});
    run(the_device(), SumOfSquares{.sums = none, .list = {}});
    EXPECT_EQ(sum.values()[0], 0);
    EXPECT_TRUE(none.guards_intact());
}

// The square of 1e-20 is a subnormal float; 70,002 squares of 1e16 are just under the largest one.
TEST(SumOfSquares, NeitherUnderflowsNorOverflowsOnTheWay) {
    for (const double size : {1e-20, 1e16}) {
        List x("x", size, {70001, 1});
        reference::Arrays arrays = {x[0], x[1]};
        Guarded<float> sum(Shape{1});
        run(the_device(), SumOfSquares{.sums = sum, .list = x.tensors()});
        expect_close("sum", sum.values(), {reference::sum_of_squares(arrays)}, kOneRounding);
    }
}

TEST(SumOfSquares, SeesASingleNanAnywhere) {
    for (const std::size_t at : {0, 31, 32, 65535, 65536, 70000}) {
        std::vector<double> values(70001, 1.0);
        values[at] = std::numeric_limits<double>::quiet_NaN();
        Guarded<float> x(Shape{70001}, values), sum(Shape{1});
        run(the_device(), SumOfSquares{.sums = sum, .list = {x}});
        EXPECT_NE(sum.values()[0], sum.values()[0]) << at;
    }
}

TEST(Sum, ScalesAndAccumulates) {
    Guarded<float> values(Shape{1000}, normal(1000, "values")), total(Shape{1});
    double sum = 0;
    for (const double v : values.as_double()) sum += v;
    run(the_device(), Sum{.total = total, .values = values, .scale = 0.25f});
    // An absolute allowance besides: the sum of values of both signs is smaller than its terms.
    expect_close("total", total.values(), {0.25 * sum}, {1e-12, kF32});
    const double before = total.as_double()[0];
    run(the_device(), Sum{.total = total, .values = values, .scale = 2, .accumulate = true});
    expect_close("total", total.values(), {before + 2 * sum}, {1e-12, kF32});
    run(the_device(), Sum{.total = total, .values = Guarded<float>(Shape{0})});
    EXPECT_EQ(total.values()[0], 0);
}

struct Decision {
    double sum, loss, also_ok[2];  // below 0: not given
    float max_norm;
    double norm, factor, ok;
};

TEST(ClipFactor, Decides) {
    const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<Decision> cases = {
        {4, 1, {-1, -1}, 1, 2, 0.5, 1},   {4, 1, {-1, -1}, 2, 2, 1, 1},   {4, 1, {-1, -1}, 3, 2, 1, 1},
        {4, 1, {-1, -1}, 0, 2, 1, 1},     {0, 1, {-1, -1}, 1, 0, 1, 1},   {4, nan, {-1, -1}, 1, 2, 0.5, 0},
        {4, inf, {-1, -1}, 1, 2, 0.5, 0}, {4, 1, {0, -1}, 1, 2, 0.5, 0},  {4, 1, {1, -1}, 1, 2, 0.5, 1},
        {4, 1, {1, 1}, 1, 2, 0.5, 1},     {4, 1, {1, 0}, 1, 2, 0.5, 0},   {4, 1, {-1, 0}, 1, 2, 0.5, 0},
        {4, 1, {0, 1}, 1, 2, 0.5, 0},     {4, nan, {1, 1}, 1, 2, 0.5, 0},
    };
    for (const Decision& c : cases) {
        Guarded<float> norm(Shape{1}), factor(Shape{1}), ok(Shape{1});
        const auto sum = scalar(c.sum), loss = scalar(c.loss);
        const Guarded<float> also[2] = {scalar(c.also_ok[0]), scalar(c.also_ok[1])};
        const auto given = [&](int i) { return c.also_ok[i] < 0 ? ConstTensor{} : ConstTensor(also[i]); };
        run(the_device(), ClipFactor{.norm = norm,
                                     .factor = factor,
                                     .ok = ok,
                                     .sum = sum,
                                     .loss = loss,
                                     .also_ok = {given(0), given(1)},
                                     .max_norm = c.max_norm});
        EXPECT_EQ(norm.values()[0], c.norm);
        EXPECT_EQ(factor.values()[0], c.factor);
        EXPECT_EQ(factor.values()[0], reference::clip_factor(c.norm, c.max_norm));
        EXPECT_EQ(ok.values()[0], c.ok);
    }
    for (const double sum : {inf, nan}) {
        Guarded<float> norm(Shape{1}), factor(Shape{1});
        auto ok = scalar(1);  // both read and written
        const auto bad = scalar(sum), loss = scalar(1);
        run(the_device(),
            ClipFactor{
                .norm = norm, .factor = factor, .ok = ok, .sum = bad, .loss = loss, .also_ok = {ok}, .max_norm = 1});
        EXPECT_EQ(ok.values()[0], 0);
        EXPECT_FALSE(std::isfinite(norm.values()[0]));
    }
}

// The gradient is slope times what the sum is of.
TEST(ClipFactor, TakesASlopeOfEitherSign) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const auto& [slope, max_norm, factor] : {std::tuple{-0.25, 1.0, -0.25}, {-2.0, 1.0, -0.5}, {3.0, 0.0, 3.0}}) {
        Guarded<float> norm(Shape{1}), out(Shape{1}), ok(Shape{1});
        const auto sum = scalar(4), loss = scalar(1), given = scalar(slope);
        run(the_device(), ClipFactor{.norm = norm,
                                     .factor = out,
                                     .ok = ok,
                                     .sum = sum,
                                     .loss = loss,
                                     .slope = given,
                                     .max_norm = static_cast<float>(max_norm)});
        EXPECT_EQ(norm.values()[0], 2 * std::abs(slope));
        EXPECT_EQ(out.values()[0], factor);
        EXPECT_EQ(ok.values()[0], 1);
    }
    Guarded<float> norm(Shape{1}), out(Shape{1}), ok(Shape{1});
    const auto sum = scalar(4), loss = scalar(1), given = scalar(nan);
    run(the_device(),
        ClipFactor{.norm = norm, .factor = out, .ok = ok, .sum = sum, .loss = loss, .slope = given, .max_norm = 1});
    EXPECT_EQ(ok.values()[0], 0);
}

TEST(FiniteDifference, IsTheQuotientAsOftenAsWanted) {
    const auto plus = scalar(3.25), minus = scalar(3.2499);
    const auto got = on_all_backends([&](Device device) {
        Guarded<float> slopes(Shape{300});
        run(device, FiniteDifference{.slopes = slopes, .plus = plus, .minus = minus, .distance = 2e-3});
        EXPECT_TRUE(slopes.guards_intact());
        return Outputs{slopes.values()};
    });
    const double expected = (plus.as_double()[0] - minus.as_double()[0]) / 2e-3;
    expect_close("slopes", got[0], std::vector<double>(300, expected), {0, 1.001 * kF32});
}

}  // namespace
}  // namespace steepest
