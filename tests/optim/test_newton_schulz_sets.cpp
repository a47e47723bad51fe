// The published coefficient sets: what each makes of singular values, scanned on numbers and run on matrices.
#include "core/error.h"
#include "ops/orthogonalize.h"
#include "optim/geometry/newton_schulz_sets.h"
#include "tests/close.h"
#include "tests/harness.h"
#include "tests/reference/orthogonalize.h"

#include <algorithm>
#include <cmath>

namespace steepest {
namespace {

using namespace testing;

struct Range {
    double low, high;
};

// Where singular values end that start in [from, 1] times the Frobenius norm: a dense scan in double.
Range scan(const NewtonSchulzSet& set, double from) {
    Range r{INFINITY, 0};
    constexpr int kPoints = 20000;
    for (int i = 0; i <= kPoints; ++i) {
        const double s = std::pow(from, double(i) / kPoints);
        const double p = reference::newton_schulz(s / set.norm_factor, set.coefficients);
        r = {std::min(r.low, p), std::max(r.high, p)};
    }
    return r;
}

struct Published {
    std::string_view name;
    int steps;
    Range from_1e3, from_5e3, from_1e2;
};

// Found once by an independent scan of the coefficients as their repositories print them.
const std::vector<Published> kPublished = {
    {"keller", 5, {.4705, 1.2024}, {.6818, 1.1544}, {.6818, 1.1344}},
    {"keller", 6, {.6818, 1.2024}, {.6818, 1.1344}, {.6818, 1.1344}},
    {"taylor", 5, {.0232, 1}, {.1155, 1}, {.2285, 1}},
    {"taylor", 7, {.0813, 1}, {.3901, 1}, {.6918, 1}},
    {"taylor", 12, {.9808, 1}, {1, 1}, {1, 1}},
    {"cubic", 5, {.0076, 1}, {.0380, 1}, {.0758, 1}},
    {"cubic", 15, {.4165, 1}, {.9928, 1}, {1, 1}},
    {"simple", 5, {.0320, 1.0018}, {.1590, 1.0018}, {.3120, 1.0018}},
    {"simple", 12, {1, 1}, {1, 1}, {1, 1}},
    {"dion", 5, {.4750, 1.1450}, {.9778, 1.1115}, {.9778, 1.0318}},
    {"jiacheng", 6, {.8663, .9993}, {.9956, .9993}, {.9956, .9993}},
    {"polar_express", 5, {.8466, 1.1411}, {.8589, 1.1411}, {.8589, 1.1411}},
    {"polar_express_paper", 6, {.9944, 1.0012}, {.9974, 1.0012}, {.9974, 1.0012}},
    {"polar_express_paper", 8, {1, 1}, {1, 1}, {1, 1}},
};

TEST(NewtonSchulzSets, SendSingularValuesWhereTheyShould) {
    for (const Published& p : kPublished) {
        const NewtonSchulzSet set = newton_schulz_set(p.name, p.steps);
        ASSERT_EQ(set.coefficients.size(), static_cast<std::size_t>(p.steps));
        const std::array<std::pair<double, Range>, 3> rows = {
            {{1e-3, p.from_1e3}, {5e-3, p.from_5e3}, {1e-2, p.from_1e2}}};
        for (const auto& [from, expected] : rows) {
            const Range got = scan(set, from);
            // Printed to four digits; a scan misses an extremum by far less.
            EXPECT_NEAR(got.low, expected.low, 6e-5) << p.name << " x" << p.steps << " from " << from;
            EXPECT_NEAR(got.high, expected.high, 6e-5) << p.name << " x" << p.steps << " from " << from;
        }
    }
}

TEST(NewtonSchulzSets, RepeatTheLastAndStartWithTheFirst) {
    for (const std::string& name : newton_schulz_names()) {
        const auto longer = newton_schulz_set(name, 20).coefficients, shorter = newton_schulz_set(name, 2).coefficients;
        EXPECT_EQ(longer[18], longer[19]) << name;
        for (std::size_t k = 0; k < 2; ++k) EXPECT_EQ(shorter[k], longer[k]) << name;
        EXPECT_GE(newton_schulz_default_steps(name), 1);
    }
    EXPECT_EQ(newton_schulz_set("polar_express_paper", 9).coefficients[8], (std::array{1.875, -1.25, 0.375}));
}

TEST(NewtonSchulzSets, AnUnknownNameListsTheKnownOnes) {
    try {
        newton_schulz_set("kellar", 5);
        FAIL();
    } catch (const InputError& e) {
        const std::string text = e.what();
        EXPECT_NE(text.find("\"kellar\""), std::string::npos);
        for (const std::string& name : newton_schulz_names()) EXPECT_NE(text.find(name), std::string::npos) << name;
    }
    EXPECT_THROW(newton_schulz_set("keller", 0), InputError);
}

// Singular values of the op's result, where the singular vectors of its input are known.
std::vector<double> result_spectrum(const reference::Svd& svd, const NewtonSchulzSet& set, DType compute) {
    const reference::Dense m = svd.matrix();
    Guarded<float> x(Shape{m.rows, m.cols}, m.data);
    Guarded<float> scratch(Shape{Orthogonalize::matrix_bytes({m.rows, m.cols}, compute) / 4});
    run(the_device(), Orthogonalize{.x = {x},
                                    .scratch = scratch,
                                    .coefficients = set.coefficients,
                                    .compute = compute,
                                    .form = set.form(compute),
                                    .norm_factor = set.norm_factor,
                                    .epsilon = set.epsilon});
    const reference::Dense core = svd.u.t() * reference::Dense(m.rows, m.cols, x.as_double()) * svd.v;
    std::vector<double> values;
    for (std::int64_t i = 0; i < core.rows; ++i) values.push_back(core(i, i));
    return values;
}

struct Expected {
    std::string_view name;
    int steps;
    Range values;
};

// On a matrix whose singular values, divided by its Frobenius norm, lie between 0.01 and 1.
TEST(NewtonSchulzSets, KeepTheirRangeOnMatrices) {
    const std::vector<Expected> cases = {
        {"keller", 5, {.68, 1.14}},          {"dion", 5, {.977, 1.032}},
        {"polar_express", 5, {.858, 1.142}}, {"taylor", 12, {.9999, 1.0001}},
        {"simple", 12, {.9999, 1.0001}},     {"cubic", 15, {.999, 1.0001}},
        {"jiacheng", 6, {.9955, .9994}},     {"polar_express_paper", 8, {.9999, 1.0001}},
    };
    const std::int64_t rows = 32, cols = 48;
    reference::Svd svd{
        reference::orthonormal_columns({rows, rows, normal(rows * rows, "u")}),
        reference::orthonormal_columns({cols, rows, normal(cols * rows, "v")}),
        {},
    };
    double norm = 0;
    for (std::int64_t i = 0; i < rows; ++i) svd.s.push_back(std::pow(0.022, double(i) / double(rows - 1)));
    for (const double s : svd.s) norm += s * s;
    ASSERT_LE(svd.s.back() / std::sqrt(norm), 0.011);
    ASSERT_GE(svd.s.back() / std::sqrt(norm), 0.01);
    for (double& s : svd.s) s *= 3;

    for (const Expected& e : cases)
        for (const DType compute : {DType::f32, DType::bf16}) {
            const NewtonSchulzSet set = newton_schulz_set(e.name, e.steps);
            const auto values = result_spectrum(svd, set, compute);
            // A value of 0.01 in bf16 lies among errors of 2^-8 times the largest, 0.5.
            const double wider = compute == DType::f32 ? 1e-5 : 0.02;
            double dual = 0, expected_dual = 0, nuclear = 0;
            for (std::size_t i = 0; i < values.size(); ++i) {
                EXPECT_GE(values[i], e.values.low - wider) << e.name << " " << name_of(compute) << " " << i;
                EXPECT_LE(values[i], e.values.high + wider) << e.name << " " << name_of(compute) << " " << i;
                const double s = svd.s[i] / 3 / std::sqrt(norm) / set.norm_factor;
                dual += values[i] * svd.s[i], nuclear += svd.s[i];
                expected_dual += reference::newton_schulz(s, set.coefficients) * svd.s[i];
            }
            EXPECT_NEAR(dual / nuclear, expected_dual / nuclear, wider) << e.name << " " << name_of(compute);
        }
}

}  // namespace
}  // namespace steepest
