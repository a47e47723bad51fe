// Every synthetic problem: samples are functions whose gradients are theirs, whose mean is the objective, and which are
// the same wherever they are asked for.
#include "core/registry.h"
#include "kernels/cpu/cpu.h"
#include "problems/synthetic.h"
#include "tests/close.h"

#include <cmath>
#include <gtest/gtest.h>

namespace steepest {
namespace {

using testing::kF32;
using Values = std::vector<double>;

// A problem with weights somewhere.
struct Rig {
    explicit Rig(const std::string& type, Json options = Json::object(), std::uint64_t seed = 1)
        : problem(PluginConfig<SyntheticProblem>(type, std::move(options)).make()) {
        problem->seed_noise(seed);
        problem->bind(&cpu);
        const ParamSpec& spec = problem->parameters().at(0);
        const Random random(7, "weights");
        for (std::int64_t i = 0; i < spec.shape.count(); ++i)
            w.push_back(static_cast<float>(spec.init.mean + 0.5 * random.normal(i)));
    }
    struct Result {
        float loss;
        std::vector<float> gradient;
    };
    // Of `count` samples from `first` on, their mean.
    Result at(const std::vector<float>& weights, std::int64_t first, std::int64_t count) {
        Result result{.loss = 0, .gradient = std::vector<float>(weights.size(), NAN)};
        std::vector<std::int32_t> ids(count);
        const Tensor numbers(ids.data(), DType::i32, {count, 1});
        problem->gradient(tensors(weights), {.inputs = numbers, .targets = numbers, .first_sample = first},
                          TensorList{tensor(result.gradient)}, Tensor(&result.loss, DType::f32, {1}),
                          1.0f / static_cast<float>(count), false);
        return result;
    }
    double exact(const std::vector<float>& weights) { return problem->exact(tensors(weights)).loss; }
    double measure(const std::string& name) {
        for (const auto& [key, value] : problem->exact(tensors(w)).measures)
            if (key == name) return value;
        return NAN;
    }
    // By central differences of the exact objective, whose arithmetic is in double.
    Values exact_gradient(float step) {
        Values g;
        for (std::size_t i = 0; i < w.size(); ++i) {
            std::vector<float> up = w, down = w;
            up[i] += step, down[i] -= step;
            g.push_back((exact(up) - exact(down)) / (double(up[i]) - down[i]));
        }
        return g;
    }
    Tensor tensor(std::vector<float>& values) const {
        return {values.data(), DType::f32, problem->parameters()[0].shape};
    }
    TensorList tensors(const std::vector<float>& values) const {
        return {tensor(const_cast<std::vector<float>&>(values))};
    }

    Cpu cpu{1};
    std::unique_ptr<SyntheticProblem> problem;
    std::vector<float> w;
};

struct Case {
    std::string name, type;
    Json options;
    float step = 0.25f;  // of differences; quadratics have no third derivative
    double error = 0;    // what those of others are wrong by

    bool noisy() const { return type != "sign_trap" && !options.value("population", false); }
};

std::vector<Case> cases() {
    return {{"Quadratic", "matrix_quadratic", {{"curvature_noise", 0.3}}},
            {"HeavyQuadratic", "matrix_quadratic", {{"heavy_noise", 0.5}, {"degrees_of_freedom", 5}}},
            {"SparseNoise", "sparse_noise", {{"dimension", 10}}},
            {"RotatedSparseNoise", "sparse_noise", {{"dimension", 5}, {"rotated", true}}},
            {"PowerLaw", "power_law", {{"rows", 4}, {"cols", 6}, {"label_noise", 0.5}}},
            {"PowerLawPopulation", "power_law", {{"rows", 4}, {"cols", 6}, {"population", true}, {"rotated", false}}},
            // Third derivatives of a logarithm of sums of exponentials are at most 1 along vectors of length 1.
            {"AssociativeMemory", "associative_memory", {{"items", 20}, {"width", 6}}, 0x1p-6f, 0x1p-12},
            {"SignTrap", "sign_trap", Json::object(), 0x1p-9f}};
}

class Problems : public ::testing::TestWithParam<Case> {
protected:
    Rig rig() const { return Rig(GetParam().type, GetParam().options); }
};

TEST_P(Problems, GradientsAreThoseOfTheLosses) {
    Rig r(GetParam().type, GetParam().options);
    const float step = GetParam().step;
    for (const std::int64_t sample : {0, 5}) {
        const auto [loss, gradient] = r.at(r.w, sample, 1);
        for (std::size_t i = 0; i < std::min<std::size_t>(r.w.size(), 12); ++i) {
            std::vector<float> up = r.w, down = r.w;
            up[i] += step, down[i] -= step;
            const float high = r.at(up, sample, 1).loss, low = r.at(down, sample, 1).loss;
            const double difference = (double(high) - low) / (double(up[i]) - down[i]);
            EXPECT_NEAR(
                gradient[i], difference,
                2 * kF32 * (std::abs(high) + std::abs(low)) / step + kF32 * std::abs(difference) + GetParam().error)
                << i;
        }
    }
}

TEST_P(Problems, MeasuresAreOfTheExactGradient) {
    Rig r(GetParam().type, GetParam().options);
    double l1 = 0, squares = 0;
    for (const double g : r.exact_gradient(GetParam().step)) l1 += std::abs(g), squares += g * g;
    // The two weights of a difference are rounded, and so not quite as far on either side.
    const double error = 2 * kF32 + GetParam().error;
    EXPECT_NEAR(r.measure("gradient_l1"), l1, error * l1);
    EXPECT_NEAR(r.measure("gradient_l2"), std::sqrt(squares), error * std::sqrt(squares));
    if (r.problem->parameters()[0].shape.rank() == 2) {
        EXPECT_GE(r.measure("gradient_nuclear"), r.measure("gradient_l2") * (1 - 1e-12));
        EXPECT_LE(r.measure("gradient_nuclear"), r.measure("gradient_l1") * (1 + 1e-12));
    }
}

// Five standard errors of the mean for each element.
TEST_P(Problems, SamplesAreTheObjectiveInTheMean) {
    Rig r(GetParam().type, GetParam().options);
    constexpr int kSamples = 3000;
    const Values expected = r.exact_gradient(GetParam().step);
    Values sum(r.w.size()), squares(r.w.size());
    double loss = 0, loss_squares = 0;
    for (int s = 0; s < kSamples; ++s) {
        const auto [value, gradient] = r.at(r.w, s, 1);
        loss += value, loss_squares += double(value) * value;
        for (std::size_t i = 0; i < sum.size(); ++i)
            sum[i] += gradient[i], squares[i] += double(gradient[i]) * gradient[i];
    }
    const auto expect_mean = [&](double total, double square, double is, const std::string& what) {
        const double mean = total / kSamples, variance = std::max(0.0, square / kSamples - mean * mean);
        EXPECT_NEAR(mean, is, 5 * std::sqrt(variance / kSamples) + 10 * kF32 * (1 + std::abs(is)) + GetParam().error)
            << what;
    };
    expect_mean(loss, loss_squares, r.exact(r.w), "loss");
    for (std::size_t i = 0; i < sum.size(); ++i) expect_mean(sum[i], squares[i], expected[i], std::to_string(i));
}

// A sample is the same in any batch and at any time, and another with another number or seed.
TEST_P(Problems, ASampleIsAFunctionOfItsNumberAlone) {
    Rig r(GetParam().type, GetParam().options), again(GetParam().type, GetParam().options),
        other(GetParam().type, GetParam().options, 2);
    const auto one = r.at(r.w, 3, 1);
    r.at(r.w, 9, 2);
    EXPECT_EQ(r.at(r.w, 3, 1).gradient, one.gradient);
    EXPECT_EQ(again.at(r.w, 3, 1).gradient, one.gradient);
    EXPECT_EQ(r.at(r.w, 4, 1).gradient != one.gradient, GetParam().noisy());
    EXPECT_EQ(other.at(r.w, 3, 1).gradient != one.gradient, GetParam().noisy());

    const auto both = r.at(r.w, 3, 2), next = r.at(r.w, 4, 1);
    for (std::size_t i = 0; i < r.w.size(); ++i)
        EXPECT_NEAR(both.gradient[i], (double(one.gradient[i]) + next.gradient[i]) / 2,
                    2 * kF32 * (std::abs(one.gradient[i]) + std::abs(next.gradient[i])));
}

INSTANTIATE_TEST_SUITE_P(All, Problems, ::testing::ValuesIn(cases()), [](const auto& c) { return c.param.name; });

// What is not tested above would be here.
TEST(SyntheticProblems, AreAllTested) {
    std::vector<std::string> tested;
    for (const Case& c : cases()) tested.push_back(c.type);
    for (const std::string& name : Registry<SyntheticProblem>::names())
        EXPECT_NE(std::ranges::find(tested, name), tested.end()) << name;
}

// Two gradients of one sample differ by what the objective's differ: additive noise is the same at both weights.
TEST(MatrixQuadratic, AdditiveNoiseCancelsBetweenWeights) {
    Rig noisy("matrix_quadratic", {{"noise", 3}, {"heavy_noise", 1}}), clean("matrix_quadratic", {{"noise", 0}});
    std::vector<float> moved = noisy.w;
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += 0.1f * static_cast<float>(i % 3);
    for (std::int64_t s = 0; s < 20; ++s) {
        const auto here = noisy.at(noisy.w, s, 1), there = noisy.at(moved, s, 1);
        const auto g = clean.at(clean.w, s, 1), h = clean.at(moved, s, 1);
        for (std::size_t i = 0; i < moved.size(); ++i)
            EXPECT_NEAR(double(here.gradient[i]) - there.gradient[i], double(g.gradient[i]) - h.gradient[i],
                        2 * kF32 * (std::abs(here.gradient[i]) + std::abs(there.gradient[i]) + 2))
                << s << " " << i;
    }
}

// A Student's t of one degree of freedom has quartiles -1 and 1; of three, its variance is 3.
TEST(MatrixQuadratic, HeavyNoiseHasItsDistribution) {
    const auto rank_one = [](double degrees, auto&& take) {
        Rig r("matrix_quadratic", {{"noise", 0}, {"heavy_noise", 1}, {"degrees_of_freedom", degrees}, {"start", 0}});
        std::fill(r.w.begin(), r.w.end(), 0.0f);
        for (std::int64_t s = 0; s < 4000; ++s) {
            double squares = 0;
            for (const float g : r.at(r.w, s, 1).gradient) squares += double(g) * g;
            take(std::sqrt(squares));
        }
    };
    int inside = 0;
    rank_one(1, [&](double t) { inside += t < 1; });
    EXPECT_NEAR(inside / 4000.0, 0.5, 5 * 0.5 / std::sqrt(4000.0));
    // The fourth moment of 5 degrees of freedom is 25: the variance of t^2 is 25 - 25/9.
    double variance = 0;
    rank_one(5, [&](double t) { variance += t * t / 4000; });
    EXPECT_NEAR(variance, 5.0 / 3, 5 * std::sqrt((25 - 25.0 / 9) / 4000));
}

}  // namespace
}  // namespace steepest
