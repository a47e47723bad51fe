#pragma once
// Embedding in double, as src/ops/embedding.h states it.
#include <cstdint>
#include <vector>

namespace steepest::testing {

// tokens (B, T), wte (Vp, C), wpe (>= T, C) -> (B, T, C).
inline std::vector<double> embedding_reference(const std::vector<double>& tokens, const std::vector<double>& wte,
                                               const std::vector<double>& wpe, std::size_t T, std::size_t C) {
    std::vector<double> y(tokens.size() * C);
    for (std::size_t n = 0; n < tokens.size(); ++n)
        for (std::size_t c = 0; c < C; ++c)
            y[n * C + c] = wte[static_cast<std::size_t>(tokens[n]) * C + c] + wpe[n % T * C + c];
    return y;
}

// Adds to dwte and dwpe, whatever they hold.
inline void embedding_gradient_reference(std::vector<double>& dwte, std::vector<double>& dwpe,
                                         const std::vector<double>& dy, const std::vector<double>& tokens,
                                         std::size_t T, std::size_t C) {
    for (std::size_t n = 0; n < tokens.size(); ++n)
        for (std::size_t c = 0; c < C; ++c) {
            dwte[static_cast<std::size_t>(tokens[n]) * C + c] += dy[n * C + c];
            dwpe[n % T * C + c] += dy[n * C + c];
        }
}

}  // namespace steepest::testing
