// What holds between optimizers by the definition of their norms: no competitor of norm 1 does better than a direction,
// and rules that are the same under another name take the same steps.
#include "tests/close.h"
#include "tests/optim/rig.h"
#include "tests/reference/orthogonalize.h"

#include <cmath>

namespace steepest::testing {
namespace {

using reference::Dense;
using Values = std::vector<double>;

constexpr std::int64_t kRows = 18, kCols = 30;
constexpr const char* kPolar = R"({"type": "spectral", "coefficients": "simple", "precision": "fp32"})";

double dot(const Values& a, const Values& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

Values direction(const std::string& geometry, const Values& gradient) {
    Rig rig(one_group(0.1, R"("estimator": "dual_ema", "geometry": )" + geometry), {matrix("w", kRows, kCols)});
    rig.set_gradient(0, gradient);
    rig.step();
    const std::vector<float> d = rig.direction(0);
    return {d.begin(), d.end()};
}

// Competitors are on the boundary of the same ball: random ones, and what becomes of the direction by a small push.
TEST(Identities, NoDirectionOfNormOneDoesBetter) {
    const Values u = normal(kRows * kCols, "u");
    const auto frobenius = [](Values x) {
        const double norm = std::sqrt(dot(x, x));
        for (double& v : x) v /= norm;
        return x;
    };
    const auto largest = [](Values x) {
        double norm = 0;
        for (const double v : x) norm = std::max(norm, std::abs(v));
        for (double& v : x) v /= norm;
        return x;
    };
    // Orthonormal rows have spectral norm 1.
    const auto spectral = [](const Values& x) {
        return reference::orthonormal_columns(Dense(kRows, kCols, x).t()).t().data;
    };
    const auto beats_all = [&](const std::string& geometry, auto&& on_the_ball) {
        const Values d = direction(geometry, u);
        const double reached = dot(u, d);
        for (int k = 0; k < 50; ++k) {
            Values other = normal(kRows * kCols, "other" + std::to_string(k));
            EXPECT_LT(dot(u, on_the_ball(other)), reached) << geometry;
            for (std::size_t i = 0; i < d.size(); ++i) other[i] = d[i] + 0.02 * other[i];
            EXPECT_LT(dot(u, on_the_ball(other)), reached) << geometry << ", near it";
        }
    };
    beats_all("\"frobenius\"", frobenius);
    beats_all("\"sign\"", largest);
    beats_all(kPolar, spectral);
}

// A sketch of full rank spans all there is; one of lower rank gives a direction within what it spans, whose singular
// values are 1 or 0, so that <D, D> is its rank.
TEST(Identities, AWholeSketchIsThePolarFactorAndASmallOneAnIsometry) {
    const Values u = normal(kRows * kCols, "u");
    const auto sketched = [&](int rank) {
        return direction(R"({"type": "sketched", "coefficients": "simple", "precision": "fp32", "oversampling": 0,
                "rank": )" + std::to_string(rank) +
                             "}",
                         u);
    };
    const Dense whole(kRows, kCols, sketched(kRows)), polar(kRows, kCols, direction(kPolar, u));
    EXPECT_LT(reference::relative_distance(whole, polar), 1e-4);

    const Dense small(kRows, kCols, sketched(5));
    const Dense projected = small * small.t() * small;  // D D^T D = D for a partial isometry
    EXPECT_LT(reference::relative_distance(projected, small), 1e-3);
    EXPECT_NEAR(dot(small.data, small.data), 5, 5e-3);
    EXPECT_LT(dot(u, small.data), dot(u, polar.data));
}

// Gluon under the max norm with radius 1 is SignSGD, to the last bit.
TEST(Identities, RadiusOneUnderTheMaxNormIsSignSgd) {
    const auto walk = [](const std::string& more) {
        Rig rig(one_group(0.01, R"("estimator": "dual_ema", "geometry": "sign")" + more), {matrix("w", kRows, kCols)});
        for (int t = 0; t < 5; ++t) rig.set_gradient(0, normal(kRows * kCols, std::to_string(t))), rig.step();
        return rig.weights(0);
    };
    EXPECT_TRUE(same_bytes(walk(R"(, "radius": 1, "scaling": "none", "length": "unit")"), walk("")));
    EXPECT_FALSE(same_bytes(walk(R"(, "radius": 2)"), walk("")));
}

}  // namespace
}  // namespace steepest::testing
