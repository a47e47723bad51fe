#pragma once
// Causal attention in double, as src/ops/attention.h states it, with the whole matrix of probabilities.
#include <algorithm>
#include <cmath>
#include <vector>

namespace steepest::testing {

struct AttentionSizes {
    std::size_t B, T, C, heads;
    std::size_t D() const { return C / heads; }
    // Element d of row t of head h in part 0 (q), 1 (k) or 2 (v) of qkv, and in out.
    std::size_t qkv(std::size_t part, std::size_t b, std::size_t h, std::size_t t) const {
        return ((b * T + t) * 3 + part) * C + h * D();
    }
    std::size_t out(std::size_t b, std::size_t h, std::size_t t) const { return (b * T + t) * C + h * D(); }
    std::size_t lse(std::size_t b, std::size_t h, std::size_t t) const { return (b * heads + h) * T + t; }
};

inline double dot_reference(const double* a, const double* b, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

// The same sum over magnitudes: what the error of an f32 sum is proportional to.
inline double absolute_dot_reference(const double* a, const double* b, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += std::abs(a[i] * b[i]);
    return sum;
}

struct AttentionReference {
    std::vector<double> out, lse;
    std::vector<double> magnitude;  // of the terms of out
    double score_magnitude = 0;     // the largest sum of terms of a score
};

inline AttentionReference attention_reference(const std::vector<double>& qkv, const AttentionSizes& z) {
    AttentionReference r{.out = std::vector<double>(z.B * z.T * z.C),
                         .lse = std::vector<double>(z.B * z.heads * z.T),
                         .magnitude = std::vector<double>(z.B * z.T * z.C)};
    const double scale = 1 / std::sqrt(double(z.D()));
    for (std::size_t b = 0; b < z.B; ++b)
        for (std::size_t h = 0; h < z.heads; ++h)
            for (std::size_t i = 0; i < z.T; ++i) {
                std::vector<double> s(i + 1);
                for (std::size_t j = 0; j <= i; ++j) {
                    const double *q = &qkv[z.qkv(0, b, h, i)], *k = &qkv[z.qkv(1, b, h, j)];
                    s[j] = dot_reference(q, k, z.D()) * scale;
                    r.score_magnitude = std::max(r.score_magnitude, absolute_dot_reference(q, k, z.D()) * scale);
                }
                const double max = *std::max_element(s.begin(), s.end());
                double sum = 0;
                for (const double score : s) sum += std::exp(score - max);
                const double lse = r.lse[z.lse(b, h, i)] = max + std::log(sum);
                for (std::size_t j = 0; j <= i; ++j)
                    for (std::size_t d = 0; d < z.D(); ++d) {
                        const double term = std::exp(s[j] - lse) * qkv[z.qkv(2, b, h, j) + d];
                        r.out[z.out(b, h, i) + d] += term;
                        r.magnitude[z.out(b, h, i) + d] += std::abs(term);
                    }
            }
    return r;
}

struct AttentionGradientReference {
    std::vector<double> dqkv, magnitude;
};

inline AttentionGradientReference attention_gradient_reference(const std::vector<double>& dout,
                                                               const std::vector<double>& out,
                                                               const std::vector<double>& lse,
                                                               const std::vector<double>& qkv,
                                                               const AttentionSizes& z) {
    AttentionGradientReference r{.dqkv = std::vector<double>(qkv.size()), .magnitude = std::vector<double>(qkv.size())};
    const auto add = [&](std::size_t at, double term, double magnitude) {
        r.dqkv[at] += term;
        r.magnitude[at] += std::abs(magnitude);
    };
    const double scale = 1 / std::sqrt(double(z.D()));
    for (std::size_t b = 0; b < z.B; ++b)
        for (std::size_t h = 0; h < z.heads; ++h)
            for (std::size_t i = 0; i < z.T; ++i) {
                const double *doi = &dout[z.out(b, h, i)], *oi = &out[z.out(b, h, i)];
                for (std::size_t j = 0; j <= i; ++j) {
                    const std::size_t q = z.qkv(0, b, h, i), k = z.qkv(1, b, h, j), v = z.qkv(2, b, h, j);
                    const double p = std::exp(dot_reference(&qkv[q], &qkv[k], z.D()) * scale - lse[z.lse(b, h, i)]);
                    const double ds = p * (dot_reference(doi, &qkv[v], z.D()) - dot_reference(doi, oi, z.D()));
                    const double size =
                        p * (absolute_dot_reference(doi, &qkv[v], z.D()) + absolute_dot_reference(doi, oi, z.D()));
                    for (std::size_t d = 0; d < z.D(); ++d) {
                        add(v + d, p * doi[d], p * doi[d]);
                        add(q + d, ds * qkv[k + d] * scale, size * qkv[k + d] * scale);
                        add(k + d, ds * qkv[q + d] * scale, size * qkv[q + d] * scale);
                    }
                }
            }
    return r;
}

}  // namespace steepest::testing
