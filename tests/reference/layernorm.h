#pragma once
// LayerNorm in double, as src/ops/layernorm.h states it.
#include <cmath>
#include <cstdint>
#include <vector>

namespace steepest::testing {

struct LayerNormReference {
    std::vector<double> y, mean, rstd;
};

// x (N, C); an empty bias is zero.
inline LayerNormReference layernorm_reference(const std::vector<double>& x, const std::vector<double>& weight,
                                              const std::vector<double>& bias, double eps) {
    const std::size_t C = weight.size(), N = x.size() / C;
    LayerNormReference r{
        .y = std::vector<double>(N * C), .mean = std::vector<double>(N), .rstd = std::vector<double>(N)};
    for (std::size_t n = 0; n < N; ++n) {
        double mean = 0, variance = 0;
        for (std::size_t c = 0; c < C; ++c) mean += x[n * C + c] / double(C);
        for (std::size_t c = 0; c < C; ++c) variance += (x[n * C + c] - mean) * (x[n * C + c] - mean) / double(C);
        r.mean[n] = mean;
        r.rstd[n] = 1 / std::sqrt(variance + eps);
        for (std::size_t c = 0; c < C; ++c)
            r.y[n * C + c] = (x[n * C + c] - mean) * r.rstd[n] * weight[c] + (bias.empty() ? 0 : bias[c]);
    }
    return r;
}

struct LayerNormGradientReference {
    std::vector<double> dx, dweight, dbias;
};

// An empty residual is zero. dweight and dbias are the sums alone, not accumulated.
inline LayerNormGradientReference layernorm_gradient_reference(
    const std::vector<double>& dy, const std::vector<double>& x, const std::vector<double>& weight,
    const std::vector<double>& mean, const std::vector<double>& rstd, const std::vector<double>& residual) {
    const std::size_t C = weight.size(), N = x.size() / C;
    LayerNormGradientReference r{
        .dx = std::vector<double>(N * C), .dweight = std::vector<double>(C), .dbias = std::vector<double>(C)};
    for (std::size_t n = 0; n < N; ++n) {
        double mean_g = 0, mean_gn = 0;
        for (std::size_t c = 0; c < C; ++c) {
            const double d = dy[n * C + c], normed = (x[n * C + c] - mean[n]) * rstd[n], g = d * weight[c];
            mean_g += g / double(C);
            mean_gn += g * normed / double(C);
            r.dweight[c] += d * normed;
            r.dbias[c] += d;
        }
        for (std::size_t c = 0; c < C; ++c) {
            const double normed = (x[n * C + c] - mean[n]) * rstd[n], g = dy[n * C + c] * weight[c];
            r.dx[n * C + c] = (residual.empty() ? 0 : residual[n * C + c]) + rstd[n] * (g - mean_g - normed * mean_gn);
        }
    }
    return r;
}

}  // namespace steepest::testing
