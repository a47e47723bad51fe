// Directions: each has norm 1 under its own norm and reaches the dual norm; Muon on diagonal matrices is SignSGD.
#include "tests/close.h"
#include "tests/optim/rig.h"
#include "tests/reference/orthogonalize.h"

#include <cmath>

namespace steepest::testing {
namespace {

using Values = std::vector<double>;
using reference::Dense;

Values doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }
double dot(const Values& a, const Values& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// The directions of one plain gradient for each parameter.
std::vector<Values> directions(const std::string& geometry, std::vector<ParamSpec> specs,
                               const std::vector<Values>& gradients) {
    Rig rig(one_group(0.1, R"("estimator": "dual_ema", "geometry": )" + geometry), std::move(specs));
    for (std::size_t i = 0; i < gradients.size(); ++i) rig.set_gradient(i, gradients[i]);
    rig.step();
    std::vector<Values> out;
    for (std::size_t i = 0; i < gradients.size(); ++i) out.push_back(doubles(rig.direction(i)));
    return out;
}

constexpr const char* kConvergent = R"({"type": "spectral", "coefficients": "simple", "precision": "fp32"})";

TEST(Geometries, SignReachesTheSumOfMagnitudesAndLeavesZeros) {
    Values u = normal(48 * 7, "u");
    u[3] = 0, u[100] = -0.0, u[200] = 1e-30, u[201] = -1e-30;
    const Values d = directions(R"("sign")", {matrix("w", 48, 7)}, {u})[0];
    double magnitudes = 0;
    for (std::size_t i = 0; i < u.size(); ++i) {
        magnitudes += std::abs(u[i]);
        EXPECT_EQ(d[i], u[i] > 0 ? 1 : u[i] < 0 ? -1 : 0) << i;
    }
    EXPECT_NEAR(dot(u, d), magnitudes, 1e-9);
}

TEST(Geometries, FrobeniusNormalisesEachTensorOrTheGroup) {
    const std::vector<ParamSpec> specs{matrix("a", 31, 5), vector("b", 33), matrix("c", 3, 4)};
    const std::vector<Values> u{normal(155, "a"), normal(33, "b", 100), Values(12)};
    const double a = reference::frobenius(Dense(1, 155, u[0])), b = reference::frobenius(Dense(1, 33, u[1]));
    const auto check = [&](const std::string& scope, const std::vector<double>& norms) {
        const auto d = directions(R"({"type": "frobenius", "scope": ")" + scope + "\"}", specs, u);
        for (std::size_t i = 0; i < u.size(); ++i) {
            Values expected = u[i];
            for (double& v : expected) v /= norms[i];
            expect_close(scope, std::vector<float>(d[i].begin(), d[i].end()), expected, {1e-12, 8 * kF32});
        }
        return d;
    };
    const auto each = check("tensor", {a, b, 1});  // a zero tensor stays zero
    EXPECT_NEAR(dot(u[0], each[0]), a, 8 * kF32 * a);
    const double all = std::sqrt(a * a + b * b);
    check("group", {all, all, all});
}

TEST(Geometries, SpectralGivesSemiOrthogonalMatricesThatReachTheNuclearNorm) {
    for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{48, 96}, {96, 24}}) {
        const Values u = normal(rows * cols, std::to_string(rows));
        const Dense U(rows, cols, u), D(rows, cols, directions(kConvergent, {matrix("w", rows, cols)}, {u})[0]);
        const Dense gram = rows < cols ? D * D.t() : D.t() * D;
        Dense off = gram;
        for (std::int64_t i = 0; i < off.rows; ++i) off(i, i) -= 1;
        EXPECT_LT(reference::frobenius(off), 1e-4);
        // <U, D> = trace of U^T D, a symmetric positive semi-definite matrix if D is U's polar factor.
        const Dense product = rows < cols ? U * D.t() : U.t() * D;
        EXPECT_LT(reference::relative_distance(product.t(), product), 1e-4);
        EXPECT_GT(dot(u, D.data), reference::frobenius(U));
    }
}

TEST(Geometries, MuonOnDiagonalMatricesIsSignSgd) {
    constexpr std::int64_t n = 16;
    const auto config = [&](const std::string& geometry) {
        return one_group(
            0.01,
            R"("estimator": {"type": "dual_ema", "b1": 0.9, "b2": 0.9}, "weight_decay": 0.1, "geometry": )" + geometry);
    };
    Rig muon(config(kConvergent), {matrix("w", n, n)}), sign(config(R"("sign")"), {matrix("w", n, n)});
    for (int t = 0; t < 10; ++t) {
        const Random random(1, "diagonal", t);
        Values g(n * n);
        for (std::int64_t i = 0; i < n; ++i)  // away from 0, where a sign would be rounding's; now and then it changes
            g[i * n + i] =
                (0.5 + random.uniform(2 * i)) * (random.uniform(2 * i + 1) < 0.5 ? -1 : 1) * std::pow(1.3, t);
        muon.set_gradient(0, g), sign.set_gradient(0, g);
        muon.step(), sign.step();
        const Values d = doubles(muon.direction(0));
        for (std::int64_t i = 0; i < n * n; ++i)
            ASSERT_TRUE(d[i] == 0 || i / n == i % n) << "step " << t << " at " << i;
        expect_close("step " + std::to_string(t), muon.weights(0), doubles(sign.weights(0)), {0.01 * 10 * 1e-4, 0});
    }
}

TEST(Geometries, MuonIsSignSgdInTheSingularBasis) {
    constexpr std::int64_t rows = 40, cols = 16;
    const Dense Q = reference::orthonormal_columns(Dense(rows, cols, normal(rows * cols, "q")));
    const Dense Z = reference::orthonormal_columns(Dense(cols, cols, normal(cols * cols, "z")));
    Rig muon(one_group(0.01, std::string(R"("estimator": "dual_ema", "geometry": )") + kConvergent),
             {matrix("w", rows, cols)});
    Values x(cols);  // what SignSGD makes of the singular values
    for (int t = 0; t < 10; ++t) {
        const Random random(1, "basis", t);
        reference::Svd g{Q, Z, Values(cols)}, w{Q, Z, {}};
        for (std::int64_t i = 0; i < cols; ++i) {
            g.s[i] = (0.2 + random.uniform(2 * i)) * (random.uniform(2 * i + 1) < 0.5 ? -1 : 1);
            x[i] -= 0.01 * (g.s[i] > 0 ? 1 : -1);
        }
        muon.set_gradient(0, g.matrix().data);
        muon.step();
        expect_close("step " + std::to_string(t), muon.weights(0), w.with(x).data, {0.01 * 10 * 1e-4, 0});
    }
}

TEST(Geometries, SumMomentumMuonIsAverageMomentumMuon) {
    const auto muon = [](const std::string& form) {
        return one_group(0.02, R"("estimator": {"type": "dual_ema", "b1": 0.9025, "b2": 0.95, "form": ")" + form +
                                   R"("}, "geometry": {"type": "spectral", "precision": "fp32"})");
    };
    Rig sum(muon("sum"), {matrix("w", 48, 96)}), average(muon("ema"), {matrix("w", 48, 96)});
    for (int t = 0; t < 8; ++t) {
        const Values g = normal(48 * 96, std::to_string(t));
        sum.set_gradient(0, g), average.set_gradient(0, g);
        sum.step(), average.step();
        const Dense a(48, 96, doubles(sum.direction(0))), b(48, 96, doubles(average.direction(0)));
        EXPECT_LT(reference::relative_distance(a, b), 1e-5) << t;
    }
}

TEST(Geometries, FormsAreTheSameDirection) {
    const Values u = normal(48 * 96, "u");
    const auto d = [&](const std::string& form) {
        return Dense(48, 96,
                     directions(R"({"type": "spectral", "precision": "fp32", "form": ")" + form + "\"}",
                                {matrix("w", 48, 96)}, {u})[0]);
    };
    EXPECT_LT(reference::relative_distance(d("gram"), d("x")), 2e-5);
}

TEST(Geometries, UpdatesScaledLikeAdamHaveAPointTwoRootMeanSquare) {
    for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{48, 96}, {96, 24}}) {
        Rig rig(one_group(1, std::string(
                                 R"j("estimator": "dual_ema", "scaling": "0.2*sqrt(max(rows, cols))", "geometry": )j") +
                                 kConvergent),
                {matrix("w", rows, cols)});
        rig.set_gradient(0, normal(rows * cols, std::to_string(rows)));
        rig.step();
        const Values w = doubles(rig.weights(0));
        EXPECT_NEAR(std::sqrt(dot(w, w) / static_cast<double>(rows * cols)), 0.2, 0.2 * 1e-4);
    }
}

TEST(Scaling, FormulasByHand) {
    EXPECT_EQ(scaling_factor("none", {48, 12}), 1);
    EXPECT_EQ(scaling_factor("sqrt(max(1, rows/cols))", {48, 12}), 2);
    EXPECT_EQ(scaling_factor("sqrt(max(1, rows/cols))", {12, 48}), 1);
    EXPECT_DOUBLE_EQ(scaling_factor("0.2*sqrt(max(rows, cols))", {100, 64}), 2);
    EXPECT_DOUBLE_EQ(scaling_factor("0.2*sqrt(max(rows, cols))", {64, 400}), 4);
    EXPECT_EQ(scaling_factor("sqrt(rows/cols)", {48, 12}), 2);
    EXPECT_EQ(scaling_factor("sqrt(rows/cols)", {12, 48}), 0.5);
    EXPECT_EQ(scaling_factor("sqrt(cols)", {48, 16}), 4);
    EXPECT_EQ(scaling_factor("1/cols", {48, 16}), 1 / 16.0);
    EXPECT_EQ(scaling_factor("sqrt(rows*cols)", {8, 2}), 4);
    EXPECT_EQ(scaling_factor("sqrt(rows*cols)", {16}), 4);
    EXPECT_EQ(scaling_formulas().size(), 7u);
}

}  // namespace
}  // namespace steepest::testing
