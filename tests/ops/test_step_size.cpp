// The numbers that decide the length of a step.
#include "ops/step_size.h"
#include "tests/close.h"
#include "tests/ops/list.h"

#include <cmath>

namespace steepest {
namespace {

using namespace testing;

constexpr std::int64_t kCount = 300;  // more than a block of threads

Guarded<float> numbers(const std::string& purpose) { return {Shape{kCount}, normal(kCount, purpose)}; }

TEST(SumOfProducts, OfOneTwoAndThree) {
    const auto a = numbers("a"), b = numbers("b"), c = numbers("c");
    const auto scale = scalar(0.3);
    const auto x = a.as_double(), y = b.as_double(), z = c.as_double();
    double one = 0, two = 0, three = 0;
    for (std::size_t i = 0; i < x.size(); ++i) one += x[i], two += x[i] * y[i], three += x[i] * y[i] * z[i];
    const auto got = on_all_backends([&](Device device) {
        auto first = scalar(7), second = scalar(7), third = scalar(7);
        run(device, SumOfProducts{.total = first, .a = a});
        run(device, SumOfProducts{.total = second, .a = a, .b = b, .scale = scale});
        run(device, SumOfProducts{.total = third, .a = a, .b = b, .c = c, .accumulate = true});
        return Outputs{first.values(), second.values(), third.values()};
    });
    // In double: one rounding, and 1e-3 of it for sums of 300 terms that may cancel.
    expect_close("one", got[0], {one}, {1e-3 * kF32, kF32});
    expect_close("two", got[1], {scale.as_double()[0] * two}, {1e-3 * kF32, kF32});
    expect_close("three", got[2], {7 + three}, {1e-3 * kF32, kF32});
}

TEST(DualLengths, OfThreeProductNorms) {
    std::vector<double> values = normal(kCount, "d");
    for (double& v : values) v = std::abs(v);
    const Guarded<float> d(Shape{kCount}, values);
    double sum = 0, squares = 0;
    for (const double v : d.as_double()) sum += v, squares += v * v;
    using Form = DualLengths::Form;
    const auto got = on_all_backends([&](Device device) {
        Outputs out;
        for (const Form form : {Form::own, Form::sum, Form::share}) {
            Guarded<float> lengths = d;  // in place
            run(device, DualLengths{.lengths = lengths, .d = lengths, .form = form});
            EXPECT_TRUE(lengths.guards_intact());
            out.push_back(lengths.values());
        }
        return out;
    });
    std::vector<double> share = d.as_double();
    for (double& v : share) v /= std::sqrt(squares);
    expect_close("own", got[0], d.as_double(), {0, 0});
    expect_close("sum", got[1], std::vector<double>(kCount, sum), {0, 1.001 * kF32});
    expect_close("share", got[2], share, {0, 1.001 * kF32});
}

TEST(DualLengths, OfNothingIsNothing) {
    auto zero = scalar(0);
    run(the_device(), DualLengths{.lengths = zero, .d = zero, .form = DualLengths::Form::share});
    EXPECT_EQ(zero.values()[0], 0);
}

// Schaipp et al.'s rule by hand: F = 0.9 * 2 + 0.1 * (3 - 0.5) = 2.05; limit 2.05 - 1 + (-0.3) = 0.75.
TEST(MomoFactor, CutsAtTheFloorOfTheModel) {
    const auto loss = scalar(3), gw = scalar(0.5), mw = scalar(-0.3), beta = scalar(0.9), ok = scalar(1),
               bad = scalar(0);
    const auto factor_of = [&](double decrease, double floor, const Guarded<float>& gate) {
        const auto planned = scalar(decrease);
        return on_all_backends([&](Device device) {
            auto factor = scalar(9), model = scalar(2);
            run(device, MomoFactor{.factor = factor,
                                   .model = model,
                                   .loss = loss,
                                   .gradient_weight = gw,
                                   .estimate_weight = mw,
                                   .decrease = planned,
                                   .beta = beta,
                                   .gate = gate,
                                   .floor = static_cast<float>(floor)});
            return Outputs{factor.values(), model.values()};
        });
    };
    const auto cut = factor_of(3, 1, ok), whole = factor_of(0.5, 1, ok), none = factor_of(3, 4, ok);
    // beta, the model and the inner product are rounded; then the quotient.
    expect_close("cut", cut[0], {0.25}, {0, 10 * kF32});
    expect_close("model", cut[1], {2.05}, {0, 4 * kF32});
    EXPECT_EQ(whole[0][0], 1);
    EXPECT_EQ(none[0][0], 0);
    EXPECT_EQ(factor_of(-1, 4, ok)[0][0], 1);  // a step that the model expects nothing of is not cut
    EXPECT_EQ(factor_of(3, 1, bad), (Outputs{{9}, {2}}));
}

TEST(ClippedLength, IsTheSmaller) {
    const auto small = scalar(0.25), large = scalar(4);
    const auto got = on_all_backends([&](Device device) {
        auto a = scalar(0), b = scalar(0);
        run(device, ClippedLength{.factor = a, .decrease = small, .largest = 2});
        run(device, ClippedLength{.factor = b, .decrease = large, .largest = 2});
        return Outputs{a.values(), b.values()};
    });
    EXPECT_EQ(got, (Outputs{{0.25f}, {2}}));
}

TEST(Choose, TakesOneOfTwo) {
    const auto a = numbers("a"), b = numbers("b"), limits = numbers("limits"), gains = numbers("gains");
    const auto got = on_all_backends([&](Device device) {
        Guarded<float> first(Shape{kCount}), second(Shape{kCount});
        run(device, Choose{.first = first, .second = second, .a = a, .b = b, .limits = limits, .gains = gains});
        EXPECT_TRUE(first.guards_intact() && second.guards_intact());
        return Outputs{first.values(), second.values()};
    });
    int taken = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
        const bool yes = a.values()[i] <= limits.values()[i] * b.values()[i];
        EXPECT_EQ(got[0][i], yes ? gains.values()[i] : 0);
        EXPECT_EQ(got[1][i], yes ? 0 : 1);
        taken += yes;
    }
    EXPECT_TRUE(taken > 50 && taken < 250) << taken;
}

}  // namespace
}  // namespace steepest
