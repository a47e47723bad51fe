#pragma once
// Softmax cross-entropy in double, as src/ops/cross_entropy.h states it.
#include <algorithm>
#include <cmath>
#include <vector>

namespace steepest::testing {

struct CrossEntropyReference {
    std::vector<double> loss, dlogits;
};

// logits (N, width), targets (N).
inline CrossEntropyReference cross_entropy_reference(const std::vector<double>& logits,
                                                     const std::vector<double>& targets, std::size_t width,
                                                     std::size_t vocab, double scale) {
    const std::size_t N = targets.size();
    CrossEntropyReference r{.loss = std::vector<double>(N), .dlogits = std::vector<double>(N * width)};
    for (std::size_t n = 0; n < N; ++n) {
        const double* x = logits.data() + n * width;
        const auto target = static_cast<std::size_t>(targets[n]);
        const double max = *std::max_element(x, x + vocab);
        double sum = 0;
        for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(x[v] - max);
        r.loss[n] = std::log(sum) + max - x[target];
        for (std::size_t v = 0; v < vocab; ++v)
            r.dlogits[n * width + v] = scale * (std::exp(x[v] - max) / sum - (v == target));
    }
    return r;
}

}  // namespace steepest::testing
