// Stages that compute with functions of matrices, on matrices made from known singular values.
#include "optim/eigenvectors.h"
#include "tests/close.h"
#include "tests/optim/rig.h"
#include "tests/reference/orthogonalize.h"

#include <cmath>
#include <functional>
#include <map>

namespace steepest::testing {
namespace {

using reference::Dense;
using reference::Svd;

Svd svd(std::int64_t rows, std::int64_t cols, double smallest) {
    const std::int64_t k = std::min(rows, cols);
    Svd m{reference::orthonormal_columns(Dense(rows, k, normal(rows * k, "u"))),
          reference::orthonormal_columns(Dense(cols, k, normal(cols * k, "v"))),
          {}};
    for (std::int64_t i = 0; i < k; ++i) m.s.push_back(0.3 * std::pow(smallest, double(i) / double(k - 1)));
    return m;
}

// The direction of this pipeline for a matrix, against U f(S) V^T.
void expect_function(const std::string& pipeline, const Svd& m, const std::function<double(double)>& f,
                     double relative) {
    Rig rig(one_group(1, pipeline), {matrix("w", m.u.rows, m.v.rows)});
    rig.set_gradient(0, m.matrix().data);
    rig.step();
    const std::vector<float> d = rig.direction(0);
    std::vector<double> values;
    for (const double s : m.s) values.push_back(f(s));
    const double error = reference::relative_distance(Dense(m.u.rows, m.v.rows, {d.begin(), d.end()}), m.with(values));
    EXPECT_LT(error, relative) << pipeline << ", " << m.u.rows << " x " << m.v.rows;
}

// Errors are those of products in f32, sqrt(depth) roundings each, of which there are a few dozen; those of small
// singular values are larger by up to the root of the condition number for powers (its square root is what roots are
// taken of), and not larger where singular values are clipped.
TEST(SchattenPower, IsThePowerOfSingularValues) {
    const auto power = [](int halvings) {
        return R"("estimator": "dual_ema", "geometry": {"type": "schatten_power", "halvings": )" +
               std::to_string(halvings) + "}";
    };
    for (const auto& [rows, cols] : {std::pair{24, 40}, {50, 20}, {33, 33}, {64, 64}})
        for (const double smallest : {0.1, 1e-3})
            for (const int k : {0, 1, 3})
                expect_function(
                    power(k), svd(rows, cols, smallest), [k](double s) { return std::pow(s, std::pow(2.0, -k)); },
                    300 * kF32 / std::sqrt(smallest));
}

TEST(SchattenPower, OfManyHalvingsIsNearlyThePolarFactor) {
    expect_function(R"("estimator": "dual_ema", "geometry": {"type": "schatten_power", "halvings": 10})",
                    svd(20, 30, 0.5), [](double) { return 1; }, 2e-3);
}

// What gradients of a small batch are: rank 4, and nothing but rounding beside it.
TEST(SchattenPower, OfLowRankStaysFinite) {
    for (const auto& [rows, cols] : {std::pair{64, 96}, {200, 100}}) {
        Svd m = svd(rows, cols, 0.5);
        for (std::size_t i = 4; i < m.s.size(); ++i) m.s[i] = 0;
        // 60 directions and more of 1e-6^(1/8) = 0.18 of the norm's power, times polar factors of rounding.
        expect_function(R"("estimator": "dual_ema", "geometry": {"type": "schatten_power", "halvings": 3})", m,
                        [](double s) { return std::pow(s, 0.125); }, 1);
    }
}

TEST(SpectralClip, CutsLargeSingularValuesAndLeavesTheOthers) {
    const auto clip = [](double threshold) {
        return R"("estimator": "dual_ema", "gradient": {"type": "spectral_clip", "threshold": )" +
               std::to_string(threshold) + "}";
    };
    for (const auto& [rows, cols] : {std::pair{24, 40}, {50, 20}, {33, 33}, {64, 64}})
        for (const double threshold : {0.31, 0.3, 0.1, 0.001}) {
            // 1.8e-6 ||threshold I - H||_F an element of the spectrum, and rounding: both relative to what is left.
            const Svd m = svd(rows, cols, 1e-2);
            double left = 0, distance = 0;
            for (const double s : m.s)
                left += std::pow(std::min(s, threshold), 2), distance += std::pow(threshold - s, 2);
            const double slow = 1.8e-6 * std::sqrt(double(m.s.size()) * distance / left);
            expect_function(
                clip(threshold), m, [&](double s) { return std::min(s, threshold); },
                slow + 100 * kF32 * std::max(1.0, std::sqrt(distance / left)));
        }
}

// Before the estimator, and after the clip of the global norm: what is averaged is clipped.
TEST(SpectralClip, IsOfTheClippedGradientAndBeforeTheAverage) {
    const std::string average = R"("estimator": {"type": "dual_ema", "b1": 0.5, "b2": 0.5})";
    const Svd m = svd(24, 40, 0.1);
    Rig rig(one_group(1, average + R"(, "gradient": {"type": "spectral_clip", "threshold": 0.1})"),
            {matrix("w", 24, 40)});
    rig.set_gradient(0, m.matrix().data);
    rig.step(0.5);
    const std::vector<float> d = rig.direction(0);
    std::vector<double> values;
    for (const double s : m.s) values.push_back(0.5 * std::min(0.5 * s, 0.1));
    EXPECT_LT(reference::relative_distance(Dense(24, 40, {d.begin(), d.end()}), m.with(values)), 100 * kF32);
}

TEST(Shampoo, OfOneGradientIsItsPolarFactor) {
    // L^(-1/4) G R^(-1/4) = U S^(-1/2) S S^(-1/2) V^T, but for epsilon.
    for (const auto& [rows, cols] : {std::pair{24, 40}, {50, 20}, {33, 33}})
        expect_function(R"("estimator": "shampoo")", svd(rows, cols, 0.3), [](double) { return 1; }, 1e-3);
}

// Sides of one panel more than the small op takes, of uneven panels and of many; of full and of low rank.
TEST(Eigenvectors, MakeLargeMatricesDiagonal) {
    const std::vector<std::pair<std::int64_t, std::int64_t>> kinds = {
        {65, 65}, {130, 20}, {200, 300}, {7, 7}, {300, 75}};
    std::vector<Shape> squares;
    std::vector<Dense> a;
    Layout layout, nothing;
    std::vector<Tensor> q(kinds.size()), given(kinds.size());
    for (const auto& [side, rank] : kinds) {
        const Dense g(side, rank, normal(side * rank, std::to_string(side)));
        a.push_back(g * g.t());
        squares.push_back({side, side});
    }
    const std::vector<Member> nobody;
    Binding binding("group", "stage", nobody);
    Eigenvectors eigenvectors;
    eigenvectors.prepare(binding, "memory", squares);
    StepScalars scalars;
    binding.plan(nothing, layout, scalars);
    for (std::size_t i = 0; i < kinds.size(); ++i)
        layout.add("q", &q[i], DType::f32, squares[i]), layout.add("a", &given[i], DType::f32, squares[i]);
    const Buffer buffer = layout.allocate(the_device());
    binding.bind(the_device());
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        const std::vector<float> values(a[i].data.begin(), a[i].data.end());
        a[i].data.assign(values.begin(), values.end());
        copy_to_device(the_device(), given[i].data, values.data(), given[i].bytes());
    }
    eigenvectors.find(the_device(), q, given);
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        const std::int64_t n = kinds[i].first;
        std::vector<float> values(static_cast<std::size_t>(n * n));
        copy_to_host(the_device(), values.data(), q[i].data, q[i].bytes());
        const Dense found(n, n, {values.begin(), values.end()});
        Dense gram = found * found.t(), d = found * a[i] * found.t();
        for (std::int64_t k = 0; k < n; ++k) gram(k, k) -= 1, d(k, k) = 0;
        EXPECT_LT(reference::frobenius(gram), 5e-6 * std::sqrt(double(n))) << n;
        EXPECT_LT(reference::frobenius(d), 1e-5 * reference::frobenius(a[i])) << n;
    }
}

// SOAP turns with its gradients: of A C B^T, A and B orthonormal, its step is A (that of C) B^T. So it is for the
// shapes that Eigenvectors takes in panels, whatever basis is chosen for what no gradient reaches: there epsilon is
// large against rounding.
TEST(Soap, TurnsWithItsGradients) {
    constexpr std::int64_t kRank = 12;
    const std::string pipeline = R"("estimator": {"type": "soap", "every": 3, "epsilon": 1e-3})";
    for (const auto& [rows, cols] : {std::pair{100, 70}, {66, 140}}) {
        const Dense a = reference::orthonormal_columns(Dense(rows, kRank, normal(rows * kRank, "a"))),
                    b = reference::orthonormal_columns(Dense(cols, kRank, normal(cols * kRank, "b")));
        Rig small(one_group(0.1, pipeline), {matrix("w", kRank, kRank)}),
            large(one_group(0.1, pipeline), {matrix("w", rows, cols)});
        for (int t = 1; t <= 9; ++t) {
            const Dense c(kRank, kRank, normal(kRank * kRank, "c" + std::to_string(t), 0.1));
            small.set_gradient(0, c.data), large.set_gradient(0, (a * c * b.t()).data);
            small.step(), large.step();
            const std::vector<float> w = small.weights(0), found = large.weights(0);
            if (t == 1) {
                for (const std::vector<float>* all : {&w, &found})
                    for (const float v : *all) ASSERT_EQ(v, 0) << "the first step only looks";
                continue;
            }
            const Dense expected = a * Dense(kRank, kRank, {w.begin(), w.end()}) * b.t();
            EXPECT_LT(reference::relative_distance(Dense(rows, cols, {found.begin(), found.end()}), expected), 1e-3)
                << rows << " x " << cols << ", step " << t;
        }
    }
}

TEST(Soap, OfNoSidesIsAdamOneStepLate) {
    Rig soap(one_group(0.1, R"("estimator": {"type": "soap", "largest_side": 0, "b1": 0.9})"), {matrix("w", 5, 8)}),
        adam(one_group(0.1, R"("estimator": {"type": "adam", "b1": 0.9})"), {matrix("w", 5, 8)});
    soap.set_gradient(0, normal(40, "first"));
    soap.step();
    for (int t = 1; t <= 4; ++t) {
        for (Rig* rig : {&soap, &adam}) rig->set_gradient(0, normal(40, "g" + std::to_string(t))), rig->step();
        EXPECT_TRUE(same_bytes(soap.weights(0), adam.weights(0))) << t;
    }
}

// Also where the basis is made anew: averages, bases, moments.
TEST(Soap, DoesNothingInABadStep) {
    Rig rig(one_group(0.1, R"("estimator": {"type": "soap", "every": 1})"), {matrix("w", 20, 12)});
    for (int t = 1; t <= 3; ++t) rig.set_gradient(0, normal(240, "g" + std::to_string(t))), rig.step();
    const std::vector<float> before = rig.weights(0);
    const std::vector<std::byte> state = rig.state();
    rig.set_gradient(0, normal(240, "bad"));
    rig.step(1, 1, 0);
    EXPECT_TRUE(same_bytes(rig.weights(0), before));
    EXPECT_TRUE(same_bytes(rig.state(), state));
    rig.set_gradient(0, normal(240, "bad"));
    rig.step();
    EXPECT_FALSE(same_bytes(rig.state(), state));
}

// Its basis is then the identity, and the next refresh turns it.
TEST(Soap, SurvivesABadFirstStep) {
    Rig rig(one_group(0.1, R"("estimator": {"type": "soap", "every": 2})"), {matrix("w", 20, 12)});
    rig.set_gradient(0, std::vector<double>(240, NAN));
    rig.step(NAN, 1, 0);
    std::vector<float> before = rig.weights(0);
    for (int t = 2; t <= 6; ++t) {
        rig.set_gradient(0, normal(240, "g" + std::to_string(t)));
        rig.step();
        const std::vector<float> after = rig.weights(0);
        double moved = 0;
        for (std::size_t k = 0; k < after.size(); ++k) moved += std::pow(double(after[k]) - before[k], 2);
        EXPECT_GT(std::sqrt(moved), 0.1 * 0.2 * std::sqrt(240.0)) << t;
        before = after;
    }
}

// Of a matrix of low rank, which leaves most rows of a whole sketch to rounding: still orthonormal ones, so that the
// direction is an isometry of what the gradient spans (and of nothing, but for noise that 12 steps raise by 2^12).
TEST(Sketched, StaysOrthonormalWhereRowsAreDependent) {
    for (const auto& [rows, cols] : {std::pair{100, 140}, {150, 100}}) {
        Svd m = svd(rows, cols, 0.5);
        for (std::size_t i = 5; i < m.s.size(); ++i) m.s[i] = i < 40 ? 0.3 * std::pow(0.5, double(i)) : 0;
        for (const int power_iterations : {0, 1}) {
            Rig rig(one_group(1, R"("estimator": "dual_ema", "geometry": {"type": "sketched", "rank": 200,
                "coefficients": "simple", "precision": "fp32", "power_iterations": )" +
                                     std::to_string(power_iterations) + "}"),
                    {matrix("w", rows, cols)}, the_device(), DType::f32, {.diagnostics = {.every = 1}});
            rig.set_gradient(0, m.matrix().data);
            rig.step();
            const auto found = rig.optimizer.diagnoses().at(0).values;
            const std::map<std::string, double> by_name(found.begin(), found.end());
            EXPECT_NEAR(by_name.at("singular_max"), 1, 2e-3) << "values on their way up overshoot by that";
            EXPECT_NEAR(by_name.at("dual_to_nuclear"), 1, 1e-3);
        }
    }
}

// f(x) = |x1 + x2| / 2 + |x1 - x2| on the diagonal of a matrix, from (1, 1/2): its subgradients have signs (+, -), so
// that polar factors never change x1 + x2 and f stays above 3/4, while their error, fed back, is a step towards 0.
// Karimireddy et al. 2019, arXiv:1901.09847, section 3.
TEST(ErrorFeedback, ConvergesWherePolarFactorsDoNot) {
    const auto value = [](double x, double y) { return std::abs(x + y) / 2 + std::abs(x - y); };
    const auto least_of = [&](const std::string& geometry) {
        Rig rig(one_group(0.01, R"("estimator": "dual_ema", "geometry": )" + geometry), {matrix("w", 2, 2)});
        rig.set_weights(0, {1, 0, 0, 0.5});
        double least = INFINITY;
        for (int t = 0; t < 500; ++t) {
            const std::vector<float> w = rig.weights(0);
            least = std::min(least, value(w[0], w[3]));
            const double sum = w[0] + w[3] > 0 ? 0.5 : -0.5, difference = w[0] - w[3] > 0 ? 1 : -1;
            rig.set_gradient(0, {sum + difference, 0, 0, sum - difference});
            rig.step();
        }
        return least;
    };
    EXPECT_GT(least_of(R"({"type": "spectral", "coefficients": "simple", "precision": "fp32"})"), 0.75 - 1e-4);
    EXPECT_LT(least_of(R"("error_feedback")"), 0.02);
}

}  // namespace
}  // namespace steepest::testing
