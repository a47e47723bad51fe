// Jacobi's eigenvalue algorithm on the host, a matrix a thread: in double a matrix and its eigenvectors are 64 KiB.
// A round of the tournament rotates disjoint pairs of rows; with R its rotations, R H R^T is R (R H)^T as H is
// symmetric: rows, which are contiguous, twice, and a transposition.
#include "ops/eigenvectors.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/simd.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace steepest {
namespace {

constexpr std::int64_t kMost = SymmetricEigenvectors::kMostRows;

struct Matrix {
    std::int64_t n;
    alignas(64) double data[kMost][kMost];
};

// (a, b) = (c a - s b, s a + c b)
STEEPEST_SIMD void rotate(double* a, double* b, std::int64_t n, double c, double s) {
    for (std::int64_t i = 0; i < n; ++i) {
        const double x = a[i], y = b[i];
        a[i] = c * x - s * y, b[i] = s * x + c * y;
    }
}

void transpose(Matrix& m) {
    for (std::int64_t i = 0; i < m.n; ++i)
        for (std::int64_t j = 0; j < i; ++j) std::swap(m.data[i][j], m.data[j][i]);
}

struct Rotation {
    std::int64_t p, q;
    double c, s;
};

// Those of a round, players 0 .. players - 1, the last of which stays where it is.
int rotations(const Matrix& h, std::int64_t players, std::int64_t round, double threshold, Rotation* list) {
    int count = 0;
    for (std::int64_t k = 0; k < players / 2; ++k) {
        const std::int64_t a = k == 0 ? players - 1 : (round + k) % (players - 1),
                           b = k == 0 ? round : (round - k + players - 1) % (players - 1);
        const std::int64_t p = std::min(a, b), q = std::max(a, b);
        if (q >= h.n || !(std::abs(h.data[p][q]) > threshold)) continue;
        const double difference = (h.data[q][q] - h.data[p][p]) / (2 * h.data[p][q]);
        const double tangent =
            std::copysign(1 / (std::abs(difference) + std::sqrt(1 + difference * difference)), difference);
        const double cosine = 1 / std::sqrt(1 + tangent * tangent);
        list[count++] = {p, q, cosine, tangent * cosine};
    }
    return count;
}

void find(const SymmetricEigenvectors& op, std::size_t i) {
    const std::int64_t n = op.h[i].shape[0], players = (n + 1) / 2 * 2;
    const float* from = op.h[i].as<float>();
    Matrix h{n, {}}, q{n, {}};
    double squares = 0;
    for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t c = 0; c < n; ++c) {
            h.data[r][c] = (double(from[r * n + c]) + double(from[c * n + r])) / 2;
            q.data[r][c] = r == c ? 1 : 0;
            squares += h.data[r][c] * h.data[r][c];
        }
    const double threshold = SymmetricEigenvectors::kThreshold * std::sqrt(squares);
    Rotation list[kMost / 2];
    bool rotated = true;
    for (int sweep = 0; rotated && sweep < op.sweeps; ++sweep) {
        rotated = false;
        for (std::int64_t round = 0; round + 1 < players; ++round) {
            const int count = rotations(h, players, round, threshold, list);
            if (count == 0) continue;
            rotated = true;
            for (int k = 0; k < count; ++k) rotate(h.data[list[k].p], h.data[list[k].q], n, list[k].c, list[k].s);
            transpose(h);
            for (int k = 0; k < count; ++k) {
                rotate(h.data[list[k].p], h.data[list[k].q], n, list[k].c, list[k].s);
                rotate(q.data[list[k].p], q.data[list[k].q], n, list[k].c, list[k].s);
            }
        }
    }
    float* to = op.q[i].as<float>();
    for (std::int64_t r = 0; r < n; ++r) {
        std::int64_t rank = 0;
        for (std::int64_t k = 0; k < n; ++k)
            rank += h.data[k][k] > h.data[r][r] || (h.data[k][k] == h.data[r][r] && k < r);
        for (std::int64_t c = 0; c < n; ++c) to[rank * n + c] = static_cast<float>(q.data[r][c]);
    }
}

}  // namespace

void run(Cpu& cpu, const SymmetricEigenvectors& op) {
    cpu.parallel_for(static_cast<std::int64_t>(op.h.size()),
                     [&](std::int64_t i) { find(op, static_cast<std::size_t>(i)); });
}

}  // namespace steepest
