#include "ops/attention.h"
#include "tests/ops/op_test.h"
#include "tests/reference/attention.h"

namespace steepest::testing {
namespace {

template <class T>
struct Attention : ::testing::Test {};
TYPED_TEST_SUITE(Attention, FloatTypes, TypeName);

template <class T>
struct Problem {
    AttentionSizes z;
    Guarded<T> qkv, dout;

    Problem(AttentionSizes sizes, double size)
        : z(sizes),
          qkv(shape(3), normal(shape(3).count(), "qkv", size)),
          dout(shape(1), normal(shape(1).count(), "dout")) {}
    Shape shape(std::int64_t parts) const { return {std::int64_t(z.B), std::int64_t(z.T), parts * std::int64_t(z.C)}; }
    Shape statistics() const { return {std::int64_t(z.B), std::int64_t(z.heads), std::int64_t(z.T)}; }
};

template <class T>
auto run_both(const Problem<T>& p) {
    return on_all_backends([&](Device device) {
        Guarded<T> out(p.shape(1)), dqkv(p.shape(3));
        Guarded<float> lse(p.statistics());
        const int heads = static_cast<int>(p.z.heads);
        run(device, AttentionForward{.out = out, .lse = lse, .qkv = p.qkv, .heads = heads});
        run(device,
            AttentionBackward{.dqkv = dqkv, .dout = p.dout, .out = out, .lse = lse, .qkv = p.qkv, .heads = heads});
        expect_intact(out, dqkv, lse);
        return std::tuple(out.values(), lse.values(), dqkv.values(), out.as_double(), lse.as_double());
    });
}

template <class T>
void check(AttentionSizes z, double size = 1) {
    SCOPED_TRACE(::testing::Message() << "B " << z.B << " T " << z.T << " heads " << z.heads << " of " << z.D());
    const Problem<T> p(z, size);
    const auto [out, lse, dqkv, out_stored, lse_stored] = run_both(p);
    const auto r = attention_reference(p.qkv.as_double(), z);

    // A score has D products, a scale and its rounding; max and lse are no larger. A probability is wrong by that much,
    // relatively, by 4 roundings of exp, and in bf16 by its own rounding.
    const double score = double(z.D() + 4) * kF32 * r.score_magnitude;
    const double probability = 2 * score + 4 * kF32 + (sizeof(T) == 2 ? kBf16 : 0);
    const double terms = double(z.T) * kF32;
    expect_close("lse", lse, r.lse, {.absolute = score + terms, .relative = 2 * kF32});
    expect_sums_close("out", out, r.out, r.magnitude, 2 * (probability + terms), kStore<T>);

    // The backward pass is judged on what it was given: out and lse as stored. Twice (D + 2) roundings in dout . v and
    // dout . out; in bf16 ds may be rounded too.
    const auto g = attention_gradient_reference(p.dout.as_double(), out_stored, lse_stored, p.qkv.as_double(), z);
    const double factor = probability + terms + 2 * double(z.D() + 4) * kF32 + (sizeof(T) == 2 ? kBf16 : 0);
    expect_sums_close("dqkv", dqkv, g.dqkv, g.magnitude, factor, kStore<T>);
}

TYPED_TEST(Attention, MatchesTheReference) {
    for (const std::size_t T : {1, 2, 63, 65, 129, 257})
        for (const std::size_t D : {16, 64}) check<TypeParam>({.B = 1, .T = T, .C = 2 * D, .heads = 2});
    for (const std::size_t D : {1, 3, 31, 32, 33, 127, 128}) check<TypeParam>({.B = 1, .T = 67, .C = D, .heads = 1});
    check<TypeParam>({.B = 3, .T = 64, .C = 96, .heads = 3});
    check<TypeParam>({.B = 1, .T = 330, .C = 16, .heads = 1});  // two groups of query blocks
}

// Scores of hundreds: all probability on one key, no overflow before the maximum is subtracted.
TYPED_TEST(Attention, LargeScores) { check<TypeParam>({.B = 1, .T = 130, .C = 32, .heads = 2}, 8); }

// Equal scores of 1e4: the mean of the values so far, whatever the scores.
TYPED_TEST(Attention, HugeEqualScoresAverageTheValues) {
    using T = TypeParam;
    constexpr std::int64_t kLength = 70, kWidth = 16;
    std::vector<double> values(kLength * 3 * kWidth);
    for (std::int64_t t = 0; t < kLength; ++t)
        for (std::int64_t c = 0; c < kWidth; ++c) {
            values[t * 3 * kWidth + c] = values[t * 3 * kWidth + kWidth + c] = 50;  // 16 * 2500 / 4 = 1e4
            values[t * 3 * kWidth + 2 * kWidth + c] = double(t % 2);
        }
    const Guarded<T> qkv({1, kLength, 3 * kWidth}, values);
    Guarded<T> out({1, kLength, kWidth});
    Guarded<float> lse({1, 1, kLength});
    run(the_device(), AttentionForward{.out = out, .lse = lse, .qkv = qkv, .heads = 1});
    std::vector<double> mean(kLength * kWidth), log_sum(kLength);
    for (std::int64_t t = 0; t < kLength; ++t) {
        log_sum[t] = 1e4 + std::log(double(t + 1));
        std::fill_n(mean.begin() + t * kWidth, kWidth, double((t + 1) / 2) / double(t + 1));
    }
    expect_close("out", out.values(), mean,
                 {.absolute = (sizeof(T) == 2 ? kBf16 : 0) + kLength * kF32, .relative = kStore<T>});
    expect_close("lse", lse.values(), log_sum, {.absolute = kLength * kF32, .relative = 2 * kF32});
}

// Nothing of a row may depend on later rows.
TYPED_TEST(Attention, IsCausal) {
    using T = TypeParam;
    constexpr std::int64_t kLength = 131, kWidth = 32;
    auto values = normal(kLength * 3 * kWidth, "qkv");
    const auto outputs = [&] {
        const Guarded<T> qkv({1, kLength, 3 * kWidth}, values);
        Guarded<T> out({1, kLength, kWidth});
        Guarded<float> lse({1, 2, kLength});
        run(the_device(), AttentionForward{.out = out, .lse = lse, .qkv = qkv, .heads = 2});
        return out.values();
    };
    const auto before = outputs();
    for (const std::int64_t t : {130, 64, 40}) {
        for (std::int64_t c = t * 3 * kWidth; c < kLength * 3 * kWidth; ++c) values[c] += 1;
        const auto after = outputs();
        EXPECT_EQ(std::memcmp(before.data(), after.data(), t * kWidth * sizeof(T)), 0) << t;
        EXPECT_NE(std::memcmp(before.data() + t * kWidth, after.data() + t * kWidth, kWidth * sizeof(T)), 0) << t;
    }
}

}  // namespace
}  // namespace steepest::testing
