// Diagnostics of groups whose matrices are made from known singular values, against sums in double.
#include "optim/tridiagonal.h"
#include "tests/close.h"
#include "tests/optim/rig.h"
#include "tests/reference/orthogonalize.h"

#include <cmath>
#include <map>

namespace steepest::testing {
namespace {

using Values = std::vector<double>;
using reference::Dense;
using reference::Svd;

constexpr double kRate = 0.03;

Svd svd(std::int64_t rows, std::int64_t cols, const std::string& purpose, double smallest) {
    const std::int64_t k = std::min(rows, cols);
    const auto basis = [&](std::int64_t n, const std::string& key) {
        return reference::orthonormal_columns(Dense(n, k, normal(n * k, purpose + key)));
    };
    Svd m{basis(rows, "u"), basis(cols, "v"), {}};
    for (std::int64_t i = 0; i < k; ++i) m.s.push_back(std::pow(smallest, double(i) / double(k - 1)));
    return m;
}

double sum(const Values& x, const std::function<double(double)>& f) {
    double total = 0;
    for (const double v : x) total += f(v);
    return total;
}
double squares(const Values& x) {
    return sum(x, [](double v) { return v * v; });
}
double magnitudes(const Values& x) {
    return sum(x, [](double v) { return std::abs(v); });
}
double dot(const Values& a, const Values& b) {
    double total = 0;
    for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
    return total;
}

std::map<std::string, double> by_name(const GroupDiagnosis& d) { return {d.values.begin(), d.values.end()}; }

// A wide matrix, a tall one and a vector, in one group, measured at the second step and kept at the first.
class DiagnosticsTest : public ::testing::Test {
protected:
    static std::vector<ParamSpec> specs() {
        return {matrix("wide", 24, 40), vector("bias", 33), matrix("tall", 50, 20)};
    }
    static OptimizerOptions options() { return {.diagnostics = {.every = 2, .micro_batches = 4}}; }

    void draw() {
        for (int t = 0; t < 2; ++t)
            for (std::size_t i = 0; i < 3; ++i) {
                const std::string key = std::to_string(t) + std::to_string(i);
                if (i == 1) {
                    g[t].push_back(normal(33, key));
                } else {
                    spectra.push_back(i == 0 ? svd(24, 40, key, 0.1) : svd(50, 20, key, 0.2));
                    g[t].push_back(spectra.back().matrix().data);
                }
            }
        for (std::size_t i = 0; i < 3; ++i) {
            w.push_back(normal(static_cast<std::int64_t>(g[0][i].size()), "w" + std::to_string(i)));
            first.push_back(normal(static_cast<std::int64_t>(g[0][i].size()), "f" + std::to_string(i)));
        }
    }
    void take(Rig& rig, int t, float ok = 1) {
        for (std::size_t i = 0; i < 3; ++i) {
            if (t == 1) rig.set_weights(i, w[i]);
            rig.set_gradient(i, g[t - 1][i]), rig.set_first(i, first[i]);
        }
        rig.step(0.5, 1, ok);
    }

    std::vector<Values> g[2], w, first;
    std::vector<Svd> spectra;  // wide, tall of step 1, of step 2
};

void expect_near(const std::map<std::string, double>& found, const std::string& name, double expected,
                 double relative) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_NEAR(found.at(name), expected, relative * std::abs(expected)) << name;
}

// The direction is the clipped gradient itself, so that everything is known. Sums are in double of numbers rounded
// once: 20 roundings cover them. Products of matrices (singular values) round once a term of 50.
TEST_F(DiagnosticsTest, OfGradientDescent) {
    draw();
    Rig rig(one_group(kRate, R"("estimator": "dual_ema", "geometry": "identity")"), specs(), the_device(), DType::f32,
            options());
    take(rig, 1);
    const std::vector<float> before = rig.weights(0);
    take(rig, 2);
    const auto found = by_name(rig.optimizer.diagnoses().at(0));

    constexpr double kSum = 20 * kF32, kProduct = 100 * kF32, kScale = 0.5;
    double n = 0, update = 0, weight = 0, g1 = 0, cosine = 0, noise1 = 0, noise2 = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        n += double(w[i].size()), update += squares(g[1][i]), g1 += magnitudes(g[1][i]);
        Values after_one = w[i], noise = first[i];
        for (std::size_t k = 0; k < w[i].size(); ++k) {
            after_one[k] -= kRate * kScale * g[0][i][k];
            noise[k] -= g[1][i][k] / 4;
        }
        weight += squares(after_one);
        cosine += dot(g[0][i], g[1][i]) / std::sqrt(squares(g[0][i]) * squares(g[1][i])) / 3;
        noise1 += magnitudes(noise), noise2 += squares(noise);
    }
    expect_near(found, "update_rms", kRate * kScale * std::sqrt(update / n), kSum);
    expect_near(found, "weight_rms", std::sqrt(weight / n), kSum);
    expect_near(found, "update_to_weight", kRate * kScale * std::sqrt(update / weight), 2 * kSum);
    expect_near(found, "dual_norm", kScale * kScale * update, kSum);
    expect_near(found, "gradient_density", g1 * g1 / (n * update), kSum);
    expect_near(found, "noise_density", noise1 * noise1 / (n * noise2), kSum);
    EXPECT_NEAR(found.at("cosine"), cosine, kSum);

    const Svd &wide = spectra[2], &tall = spectra[3];
    const auto of = [&](const std::function<double(double)>& f) { return sum(wide.s, f) + sum(tall.s, f); };
    const double nuclear = of([](double s) { return s; }), frobenius = of([](double s) { return s * s; });
    expect_near(found, "dual_to_nuclear", kScale * frobenius / nuclear, 1e-5);
    const auto rank = [](const Svd& m) { return std::pow(sum(m.s, [](double s) { return s; }), 2) / squares(m.s); };
    expect_near(found, "gradient_rank", (rank(wide) + rank(tall)) / 2, 1e-5);
    // 32 steps of Lanczos are more than there are rows: the ends are exact, the small one as that of a square.
    expect_near(found, "singular_max", kScale, kProduct);
    expect_near(found, "singular_min", kScale * 0.1, kProduct / (0.1 * 0.1));
    const double deviation = of([](double s) { return std::pow(kScale * kScale * s * s - 1, 2); });
    expect_near(found, "orthogonality_error", std::sqrt(deviation / 44), kProduct);
}

// Muon's directions: 1 where its iteration converges, and no norm of the gradient is looked at before its clip.
TEST_F(DiagnosticsTest, OfPolarFactors) {
    draw();
    const std::string geometry = R"("geometry": {"type": "spectral", "coefficients": "polar_express_paper",
        "steps": 12, "precision": "fp32"})";
    std::vector<ParamSpec> matrices = specs();
    matrices.erase(matrices.begin() + 1);
    Rig rig(one_group(kRate, R"("estimator": "dual_ema", )" + geometry + R"x(, "scaling": "sqrt(max(1, rows/cols))")x"),
            matrices, the_device(), DType::f32, {.diagnostics = {.every = 1}});
    rig.set_gradient(0, g[0][0]), rig.set_gradient(1, g[0][2]);
    rig.step();
    const auto found = by_name(rig.optimizer.diagnoses().at(0));
    expect_near(found, "dual_to_nuclear", 1, 1e-4);
    expect_near(found, "singular_max", 1, 1e-4);
    expect_near(found, "singular_min", 1, 1e-4);
    EXPECT_LT(found.at("orthogonality_error"), 2e-4);
    // ||O||_F^2 is the number of its singular values; the tall one is scaled by sqrt(50/20).
    expect_near(found, "update_rms", kRate * std::sqrt((24 + 20 * 2.5) / (24 * 40 + 50 * 20)), 1e-4);
    EXPECT_FALSE(found.contains("noise_density"));
    EXPECT_TRUE(std::isnan(found.at("cosine"))) << "there was no step before";
}

TEST_F(DiagnosticsTest, ABadStepIsNothingToCompareWith) {
    draw();
    Rig rig(one_group(kRate, R"("estimator": "dual_ema", "geometry": "sign")"), specs(), the_device(), DType::f32,
            {.diagnostics = {.every = 1, .micro_batches = 4}});
    take(rig, 1), take(rig, 2);
    EXPECT_FALSE(std::isnan(by_name(rig.optimizer.diagnoses().at(0)).at("cosine")));
    const std::vector<std::byte> state = rig.state();
    take(rig, 2, 0);
    EXPECT_TRUE(same_bytes(rig.state(), state));
    take(rig, 2);
    EXPECT_TRUE(std::isnan(by_name(rig.optimizer.diagnoses().at(0)).at("cosine")));
    take(rig, 2);
    EXPECT_NEAR(by_name(rig.optimizer.diagnoses().at(0)).at("cosine"), 1, 10 * kF32);
}

// The range of a long spectrum lies inside the true one, and its lone end is found.
TEST(Diagnostics, LanczosStaysWithinTheSpectrum) {
    const std::int64_t side = 120;
    Svd m = svd(side, side, "m", 0.6);
    m.s.back() = 0.02;
    Rig rig(one_group(1, R"("estimator": "dual_ema", "geometry": "identity")"), {matrix("w", side, side)}, the_device(),
            DType::f32, {.diagnostics = {.every = 1}});
    rig.set_gradient(0, m.matrix().data);
    rig.step();
    const auto found = by_name(rig.optimizer.diagnoses().at(0));
    EXPECT_LE(found.at("singular_max"), 1 + 200 * kF32);
    EXPECT_GE(found.at("singular_max"), 0.99);
    EXPECT_NEAR(found.at("singular_min"), 0.02, 200 * kF32 / 0.02);
}

// 2 - 2 cos(k pi / (n + 1)): the eigenvalues of second differences.
TEST(Tridiagonal, FindsTheEndsOfAKnownSpectrum) {
    for (const int n : {1, 2, 7, 32}) {
        const Values diagonal(n, 2), beside(n, -1);
        const auto [low, high] = tridiagonal_range(diagonal, beside);
        EXPECT_NEAR(low, 2 - 2 * std::cos(M_PI / (n + 1)), 1e-14);
        EXPECT_NEAR(high, 2 - 2 * std::cos(n * M_PI / (n + 1)), 1e-14);
    }
    EXPECT_NEAR(tridiagonal_range(Values{3, 1, 2}, Values{0, 0}).first, 1, 1e-14);
    EXPECT_TRUE(std::isnan(tridiagonal_range(Values{NAN, 1}, Values{1}).first));
}

}  // namespace
}  // namespace steepest::testing
