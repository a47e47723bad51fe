// Normal numbers and orthonormal rows: what sketches are made of.
#include "ops/gaussian.h"
#include "ops/gram_schmidt.h"
#include "tests/close.h"
#include "tests/ops/list.h"
#include "tests/reference/orthogonalize.h"

namespace steepest {
namespace {

using namespace testing;
using reference::Dense;

// The generator of core/random.h, which has tests of its own, number for number; radius and cosine are rounded to f32
// once, from doubles that may differ in their last places.
TEST(Gaussian, DrawsTheStreamsNumbers) {
    const std::vector<std::int64_t> sizes = {5, 0, 1, 70001, 64};
    const auto step = scalar(7);
    const Random random(3, "sketch", 7);
    const auto got = on_all_backends([&](Device device) {
        List x = List::blank(sizes);
        run(device, Gaussian{.x = x.tensors(), .key = random.key(), .step = step, .scale = 0.5f});
        return Outputs{x.values()};
    });
    std::vector<double> expected;
    for (std::size_t t = 0; t < sizes.size(); ++t)
        for (std::int64_t i = 0; i < sizes[t]; ++i)
            expected.push_back(0.5 * random.normal((std::uint64_t{t} << 33) + static_cast<std::uint64_t>(i)));
    expect_close("x", got[0], expected, {0, 2 * kF32});
}

TEST(Gaussian, AnotherStepIsAnotherDraw) {
    const auto draw = [](double step) {
        const auto number = scalar(step);
        List x = List::blank({100});
        run(the_device(), Gaussian{.x = x.tensors(), .key = Random(1, "a").key(), .step = number});
        return x.values();
    };
    EXPECT_TRUE(same_bytes(draw(1), draw(1)));
    EXPECT_FALSE(same_bytes(draw(1), draw(2)));
}

TEST(Bernoulli, ChoosesWhereTheUniformNumberIsBelow) {
    const std::vector<std::int64_t> sizes = {5, 0, 1, 70001, 64};
    const auto step = scalar(7);
    const Random random(3, "choice", 7);
    const auto got = on_all_backends([&](Device device) {
        List x = List::blank(sizes);
        run(device, Bernoulli{.x = x.tensors(), .key = random.key(), .step = step, .probability = 0.3});
        return Outputs{x.values()};
    });
    std::size_t at = 0;
    double ones = 0;
    for (std::size_t t = 0; t < sizes.size(); ++t)
        for (std::int64_t i = 0; i < sizes[t]; ++i, ++at) {
            const double u = random.uniform((std::uint64_t{t} << 33) + static_cast<std::uint64_t>(i));
            ASSERT_EQ(got[0][at], u < 0.3 ? 1 : 0) << t << ", " << i;
            ones += double(got[0][at]);
        }
    EXPECT_NEAR(ones / double(at), 0.3, 5 * std::sqrt(0.21 / double(at)));
}

// Against Gram-Schmidt in double. Rows of a Gaussian matrix with 32 rows and more columns are far from dependent, so
// that errors stay within a few roundings; the square one has a condition number of about its side.
TEST(GramSchmidt, MakesTheRowsOfAQrFactorisation) {
    for (const Shape shape : {Shape{32, 500}, Shape{1, 7}, Shape{5, 5}, Shape{32, 32}, Shape{9, 2049}}) {
        const auto got = on_all_backends([&](Device device) {
            Guarded<float> x(shape, normal(shape.count(), to_string(shape)));
            run(device, GramSchmidt{.x = {x}});
            EXPECT_TRUE(x.guards_intact());
            return Outputs{x.values()};
        });
        const Guarded<float> x(shape, normal(shape.count(), to_string(shape)));
        const Dense expected = reference::orthonormal_columns(Dense(shape[0], shape[1], x.as_double()).t()).t();
        const Dense found(shape[0], shape[1], {got[0].begin(), got[0].end()});
        EXPECT_LT(reference::relative_distance(found, expected), (shape[0] == shape[1] ? 100 : 10) * kF32)
            << to_string(shape);
        Dense gram = found * found.t();
        for (std::int64_t i = 0; i < gram.rows; ++i) gram(i, i) -= 1;
        EXPECT_LT(reference::frobenius(gram), 10 * kF32 * std::sqrt(double(shape[0]))) << to_string(shape);
    }
}

TEST(GramSchmidt, LeavesZeroRowsAndListensToItsGate) {
    Guarded<float> x(Shape{3, 4}, {0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0}), gate(Shape{1}, {0});
    const auto before = x.values();
    run(the_device(), GramSchmidt{.x = {x}, .gate = gate});
    EXPECT_TRUE(same_bytes(x.values(), before));
    run(the_device(), GramSchmidt{.x = {x}});
    const auto after = x.values();
    expect_close("x", after, {0, 0, 0, 0, 0.6, 0, 0.8, 0, 0, 0, 0, 0}, {0, kF32});
    Guarded<float> tall(Shape{33, 40});
    EXPECT_THROW(run(the_device(), GramSchmidt{.x = {tall}}), ShapeError);
}

}  // namespace
}  // namespace steepest
