#include "ops/gelu.h"
#include "tests/ops/op_test.h"
#include "tests/reference/gelu.h"

namespace steepest::testing {
namespace {

template <class T>
struct Gelu : ::testing::Test {};
TYPED_TEST_SUITE(Gelu, FloatTypes, TypeName);

// x between -12 and 12, where everything happens, and more than one block of work.
std::vector<double> inputs(std::int64_t n) {
    auto x = normal(n, "x", 2);
    for (std::int64_t i = 0; i < n; i += 3) x[i] = 24.0 * double(i) / double(n) - 12;
    return x;
}

template <class T>
auto run_both(const std::vector<double>& x_values, const std::vector<double>& dy_values) {
    const Shape shape{std::int64_t(x_values.size())};
    return on_all_backends([&](Device device) {
        const Guarded<T> x(shape, x_values), dy(shape, dy_values);
        Guarded<T> y(shape), dx(shape);
        run(device, GeluForward{.y = y, .x = x});
        run(device, GeluBackward{.dx = dx, .dy = dy, .x = x});
        expect_intact(y, dx);
        return std::tuple(y.values(), dx.values(), x.as_double(), dy.as_double());
    });
}

TYPED_TEST(Gelu, MatchesTheReference) {
    for (const std::int64_t n : {1, 2, 3, 31, 33, 64, 127, 20001}) {
        SCOPED_TRACE(n);
        const auto [y, dx, x, dy] = run_both<TypeParam>(inputs(n), normal(n, "dy"));
        std::vector<double> y_reference(n), dx_reference(n), dx_size(n);
        for (std::int64_t i = 0; i < n; ++i) {
            y_reference[i] = gelu_reference(x[i]);
            dx_reference[i] = dy[i] * gelu_derivative_reference(x[i]);
            dx_size[i] = std::abs(dy[i]);
        }
        // exp(-2u) carries the rounding of its argument, which is at most 2 * 43.7 where it matters (|x| <= 10), and 12
        // further roundings follow or precede; x sigmoid(2u) is at most |x| and d/du of it at most 1/4 of that.
        const double argument = 2 * 43.7 * 5 / 4;
        expect_close("y", y, y_reference,
                     {.absolute = kF32 * 12 * 12, .relative = kStore<TypeParam> + (argument + 12) * kF32});
        expect_sums_close("dx", dx, dx_reference, dx_size, (argument + 24) * kF32, kStore<TypeParam>);
    }
}

TYPED_TEST(Gelu, LargeInputsAreTheirLimits) {
    const std::vector<double> x{1e4, 1e30, -1e4, -1e30, 10.5, -10.5, 0}, dy(x.size(), 1);
    const auto [y, dx, stored, unused] = run_both<TypeParam>(x, dy);
    expect_close("y", y, {stored[0], stored[1], 0, 0, stored[4], 0, 0}, {.absolute = 1e-20, .relative = 0});
    expect_close("dx", dx, {1, 1, 0, 0, 1, 0, 0.5}, {.absolute = 1e-20, .relative = 0});
}

TYPED_TEST(Gelu, WorksInPlace) {
    using T = TypeParam;
    const auto values = inputs(77);
    const auto [y, dx, x, dy] = run_both<T>(values, normal(77, "dy"));
    Guarded<T> in_place({77}, values), gradient({77}, normal(77, "dy"));
    const Guarded<T> input({77}, values);
    run(the_device(), GeluForward{.y = in_place, .x = in_place});
    run(the_device(), GeluBackward{.dx = gradient, .dy = gradient, .x = input});
    EXPECT_TRUE(same_bytes(in_place.values(), y) && same_bytes(gradient.values(), dx));
}

}  // namespace
}  // namespace steepest::testing
