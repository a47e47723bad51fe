#include "ops/cross_entropy.h"
#include "tests/ops/op_test.h"
#include "tests/reference/cross_entropy.h"

namespace steepest::testing {
namespace {

template <class T>
struct CrossEntropyTest : ::testing::Test {};
TYPED_TEST_SUITE(CrossEntropyTest, FloatTypes, TypeName);

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class T>
void check(std::int64_t N, std::int64_t vocab, std::int64_t width, double size, float scale) {
    SCOPED_TRACE(::testing::Message() << vocab << " of " << width << ", logits of size " << size);
    auto values = normal(N * width, "logits", size);
    std::vector<double> targets(N);
    for (std::int64_t n = 0; n < N; ++n) {
        targets[n] = double(n % 2 ? vocab - 1 : n * 7 % vocab);
        std::fill_n(values.begin() + n * width + vocab, width - vocab, kNaN);  // padding is never read
    }
    const Guarded<T> logits({N, width}, values);
    const Guarded<std::int32_t> ids({N}, targets);
    const auto [loss, dlogits, loss_alone] = on_all_backends([&](Device device) {
        Guarded<float> l({N}), alone({N});
        Guarded<T> d({N, width}), in_place = logits;
        run(device,
            CrossEntropy{.loss = l, .dlogits = d, .logits = logits, .targets = ids, .vocab = vocab, .scale = scale});
        run(device, CrossEntropy{.loss = alone,
                                 .dlogits = in_place,
                                 .logits = in_place,
                                 .targets = ids,
                                 .vocab = vocab,
                                 .scale = scale});
        EXPECT_TRUE(same_bytes(d.values(), in_place.values())) << "in place";
        run(device, CrossEntropy{.loss = alone, .logits = logits, .targets = ids, .vocab = vocab});
        expect_intact(l, alone, d, in_place);
        return std::tuple(l.values(), d.values(), alone.values());
    });
    EXPECT_TRUE(same_bytes(loss, loss_alone));

    const auto r = cross_entropy_reference(logits.as_double(), targets, width, vocab, scale);
    // x - max rounds once, relative to itself, but where it is below -100 its exponential is nothing; exp: 2 roundings;
    // blocks of 1024 additions.
    const double exponential = (100 + 4) * kF32, sum = exponential + double(std::min<std::int64_t>(vocab, 1024)) * kF32;
    expect_close("loss", loss, r.loss, {.absolute = sum, .relative = kF32});
    expect_close("dlogits", dlogits, r.dlogits,
                 {.absolute = scale * 0x1p-124, .relative = kStore<T> + exponential + sum + 4 * kF32});
    for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t v = vocab; v < width; ++v) ASSERT_EQ(float(dlogits[n * width + v]), 0) << n << ", " << v;
}

TYPED_TEST(CrossEntropyTest, MatchesTheReference) {
    for (const std::int64_t vocab : {1, 2, 3, 31, 33, 64, 127, 1025}) check<TypeParam>(5, vocab, vocab, 2, 1);
    check<TypeParam>(5, 257, 384, 2, 0.125f);
    check<TypeParam>(3, 50257, 50304, 2, 1.0f / 1024);
}

TYPED_TEST(CrossEntropyTest, ExtremeLogits) { check<TypeParam>(9, 257, 384, 1e4, 1); }

// exp(x - max) of all others is 0: the loss is the distance to the largest, the gradient exactly +1, -1, 0.
TYPED_TEST(CrossEntropyTest, OneLogitFarAboveTheRest) {
    using T = TypeParam;
    const Guarded<T> logits({2, 3}, {-8192, 8192, 0, -8192, 8192, 0});
    const Guarded<std::int32_t> targets({2}, {1, 0});
    Guarded<float> loss({2});
    Guarded<T> dlogits({2, 3});
    run(the_device(), CrossEntropy{.loss = loss, .dlogits = dlogits, .logits = logits, .targets = targets, .vocab = 3});
    expect_close("loss", loss.values(), {0, 16384}, {.absolute = 0, .relative = 0});
    expect_close("dlogits", dlogits.values(), {0, 0, 0, -1, 1, 0}, {.absolute = 0, .relative = 0});
}

}  // namespace
}  // namespace steepest::testing
