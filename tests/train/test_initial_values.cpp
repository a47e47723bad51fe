// Weights at the start of a run: the distribution that the table asks for, the same for everybody with that seed.
#include "model/gpt2_params.h"
#include "tests/harness.h"
#include "train/parameters.h"

#include <algorithm>
#include <cmath>

namespace steepest::testing {

namespace {

Gpt2Table table() {
    Gpt2Config config;
    config.layers = 2, config.heads = 4, config.width = 128, config.context = 64, config.vocab = 1000;
    return gpt2_table(config);
}

// Mean, deviation and fourth moment of N(0, 0.02) and N(0, 0.02 / sqrt(2 L)), each within five of its own standard
// errors.
TEST(InitialValues, MatricesAreNormal) {
    for (const ParamSpec& spec : table().specs) {
        if (spec.shape.rank() != 2) continue;
        const bool residual = spec.name.ends_with("c_proj.weight");
        const double deviation = residual ? 0.02 / std::sqrt(4.0) : 0.02;
        const std::vector<float> values = initial_values(spec, 7);
        const auto n = double(spec.shape.count() - spec.padding_rows * spec.shape.cols());
        double moments[5] = {};
        for (std::size_t i = 0; i < std::size_t(n); ++i)
            for (int k = 1; k <= 4; ++k) moments[k] += std::pow(values[i] / deviation, k) / n;
        EXPECT_NEAR(moments[1], 0, 5 / std::sqrt(n)) << spec.name;
        EXPECT_NEAR(moments[2], 1, 5 * std::sqrt(2 / n)) << spec.name;
        EXPECT_NEAR(moments[3], 0, 5 * std::sqrt(15 / n)) << spec.name;
        EXPECT_NEAR(moments[4], 3, 5 * std::sqrt(96 / n)) << spec.name;
    }
}

TEST(InitialValues, GainsAreOneBiasesAndPaddingZero) {
    for (const ParamSpec& spec : table().specs) {
        const std::vector<float> values = initial_values(spec, 7);
        ASSERT_EQ(std::int64_t(values.size()), spec.shape.count());
        const auto all = [&](auto begin, float value) {
            return std::all_of(begin, values.end(), [&](float x) { return x == value; });
        };
        const bool vector = spec.shape.rank() == 1;
        EXPECT_TRUE(!vector || all(values.begin(), spec.role == Role::gain)) << spec.name;
        EXPECT_TRUE(all(values.end() - spec.padding_rows * spec.shape.cols(), 0)) << spec.name;
    }
}

// The vocabulary's size and the rest of the model leave a parameter's values alone.
TEST(InitialValues, DependOnSeedNameAndElementAlone) {
    ParamSpec spec{.name = "a.weight", .shape = {3, 4}, .role = Role::matrix, .init = {.deviation = 0.02f}};
    const std::vector<float> first = initial_values(spec, 7);
    EXPECT_TRUE(same_bytes(first, initial_values(spec, 7)));
    EXPECT_FALSE(same_bytes(first, initial_values(spec, 8)));
    spec.shape = {300, 400};  // enough for several threads
    std::vector<float> larger = initial_values(spec, 7);
    larger.resize(first.size());
    EXPECT_TRUE(same_bytes(first, larger));
    spec.name = "b.weight";
    EXPECT_FALSE(same_bytes(larger, initial_values({spec.name, {3, 4}, spec.role, spec.init}, 7)));
}

}  // namespace

}  // namespace steepest::testing
