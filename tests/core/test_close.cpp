#include "tests/close.h"
#include "tests/harness.h"

namespace steepest::testing {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

std::size_t bad(float actual, double reference, Tolerance tol = {.absolute = 1e-3, .relative = 1e-3}) {
    return compare<float>(std::vector<float>{actual}, std::vector<double>{reference}, tol).bad;
}

// Each line is a comparison that some well-known project's own test function lets through.
TEST(Compare, FailsWhereOthersPass) {
    EXPECT_EQ(bad(float(kNaN), 1), 1u);  // a NaN is within no distance
    EXPECT_EQ(bad(7, kInf), 1u);         // a reference that overflowed is a broken test
    EXPECT_EQ(bad(float(kInf), kInf), 1u);
    EXPECT_EQ(bad(-100, -5), 1u);
    EXPECT_EQ(bad(0.5f, 0.01), 1u);
    EXPECT_EQ(bad(0, 1e-2), 1u);
    EXPECT_EQ(bad(1, kNaN), 1u);
}

TEST(Compare, PassesAtTheBoundaryAndFailsPastIt) {
    EXPECT_EQ(bad(1.5f, 1, {.absolute = 0.5, .relative = 0}), 0u);
    EXPECT_EQ(bad(1.5001f, 1, {.absolute = 0.5, .relative = 0}), 1u);
    EXPECT_EQ(bad(0, 0, {.absolute = 0, .relative = 1e-3}), 0u);  // an exact zero needs no absolute part
}

TEST(Compare, FailsOnMissingElements) {
    EXPECT_GT(compare<float>(std::vector<float>{}, std::vector<double>{1}, {1, 1}).bad, 0u);
}

TEST(Guarded, StartsAsNaNAndSeesWritesPastEitherEnd) {
    Guarded<float> t({3});
    EXPECT_TRUE(std::isnan(t.values()[2]));
    EXPECT_TRUE(t.guards_intact());
    t.data()[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(t.guards_intact());
    Guarded<bf16> u({2, 2}, {1, 2, 3, 4});
    u.data()[-1] = bf16(0);
    EXPECT_FALSE(u.guards_intact());
}

}  // namespace
}  // namespace steepest::testing
