// Eigenvectors of small symmetric matrices, made from known ones.
#include "ops/eigenvectors.h"
#include "tests/close.h"
#include "tests/ops/list.h"
#include "tests/reference/orthogonalize.h"

#include <deque>

namespace steepest {
namespace {

using namespace testing;
using reference::Dense;

Dense vectors(std::int64_t n) {
    return reference::orthonormal_columns(Dense(n, n, normal(n * n, "v" + std::to_string(n))));
}

// V diag(values) V^T.
Dense symmetric(const Dense& v, const std::vector<double>& values) {
    Dense scaled = v;
    for (std::int64_t i = 0; i < v.rows; ++i)
        for (std::int64_t k = 0; k < v.cols; ++k) scaled(i, k) *= values[static_cast<std::size_t>(k)];
    return scaled * v.t();
}

// The eigenvectors of all of these, in rows.
std::vector<Dense> find(const std::vector<Dense>& matrices) {
    const auto got = on_all_backends([&](Device device) {
        std::deque<Guarded<float>> h, q;
        SymmetricEigenvectors op{.q = {}, .h = {}};
        for (const Dense& m : matrices) {
            op.h.push_back(h.emplace_back(Shape{m.rows, m.rows}, m.data));
            op.q.push_back(q.emplace_back(Shape{m.rows, m.rows}));
        }
        run(device, op);
        Outputs out;
        for (auto& t : q) {
            EXPECT_TRUE(t.guards_intact());
            out.push_back(t.values());
        }
        return out;
    });
    std::vector<Dense> all;
    for (std::size_t i = 0; i < got.size(); ++i)
        all.emplace_back(matrices[i].rows, matrices[i].rows, std::vector<double>(got[i].begin(), got[i].end()));
    return all;
}

double distance_from_identity(Dense gram) {
    for (std::int64_t i = 0; i < gram.rows; ++i) gram(i, i) -= 1;
    return reference::frobenius(gram);
}

// Eigenvalues n, n - 1, ... 1 times a sign: a distance of 1 and a norm of (n^3 / 3)^(1/2), of which the rounding of h
// is a part of 2^-24 an element, and so less an eigenvector.
TEST(SymmetricEigenvectors, AreThoseAMatrixIsMadeOf) {
    const std::vector<std::int64_t> sides = {1, 2, 5, 24, 33, 64, 63};
    std::vector<Dense> v, h;
    std::vector<std::vector<double>> values;
    for (const std::int64_t n : sides) {
        values.emplace_back();
        for (std::int64_t k = 0; k < n; ++k) values.back().push_back(static_cast<double>(n / 2 - k));
        v.push_back(vectors(n)), h.push_back(symmetric(v.back(), values.back()));
    }
    const std::vector<Dense> q = find(h);
    for (std::size_t i = 0; i < sides.size(); ++i) {
        const std::int64_t n = sides[i];
        EXPECT_LT(distance_from_identity(q[i] * q[i].t()), 2 * kF32 * std::sqrt(double(n))) << n;
        Dense expected = v[i].t();
        for (std::int64_t k = 0; k < n; ++k) {
            double dot = 0;
            for (std::int64_t j = 0; j < n; ++j) dot += expected(k, j) * q[i](k, j);
            for (std::int64_t j = 0; j < n; ++j) expected(k, j) *= dot < 0 ? -1 : 1;
        }
        EXPECT_LT(reference::relative_distance(q[i], expected), 2 * kF32 * (1 + reference::frobenius(h[i]))) << n;
    }
}

// Of low rank, as products of gradients are, and of eigenvalues from 1 to 1e-6.
TEST(SymmetricEigenvectors, MakeAnyMatrixDiagonal) {
    std::vector<Dense> h;
    const Dense v = vectors(64);
    std::vector<double> low(64), wide;
    for (std::size_t k = 0; k < 64; ++k) low[k] = k < 10 ? 1 : 0, wide.push_back(std::pow(1e-6, double(k) / 63));
    h.push_back(symmetric(v, low)), h.push_back(symmetric(v, wide));
    const std::vector<Dense> q = find(h);
    for (std::size_t i = 0; i < h.size(); ++i) {
        Dense d = q[i] * h[i] * q[i].t();
        double off = 0;
        for (std::int64_t r = 0; r < d.rows; ++r)
            for (std::int64_t c = 0; c < d.cols; ++c)
                if (r != c) off += d(r, c) * d(r, c);
        for (std::int64_t r = 1; r < d.rows; ++r) EXPECT_LE(d(r, r), d(r - 1, r - 1) + 4 * kF32);
        EXPECT_LT(std::sqrt(off), 8 * kF32 * reference::frobenius(h[i]));
    }
}

TEST(SymmetricEigenvectors, OfDiagonalMatricesAreSortedUnitVectors) {
    Dense h(3, 3), zero(4, 4);
    h(0, 0) = -1, h(1, 1) = 5, h(2, 2) = 2;
    const std::vector<Dense> q = find({h, zero});
    EXPECT_EQ(q[0].data, (std::vector<double>{0, 1, 0, 0, 0, 1, 1, 0, 0}));
    EXPECT_EQ(distance_from_identity(q[1]), 0);
}

TEST(SymmetricEigenvectors, EndWhereThereIsNoNumberAndRefuseLargeMatrices) {
    Guarded<float> h(Shape{5, 5}), q(Shape{5, 5}), large(Shape{65, 65}), large_q(Shape{65, 65});
    run(the_device(), SymmetricEigenvectors{.q = {q}, .h = {h}});
    EXPECT_TRUE(q.guards_intact());
    EXPECT_THROW(run(the_device(), SymmetricEigenvectors{.q = {large_q}, .h = {large}}), ShapeError);
}

}  // namespace
}  // namespace steepest
