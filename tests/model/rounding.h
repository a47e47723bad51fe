#pragma once
// How far the f32 model may be from an exact one.
#include "model/gpt2_config.h"
#include "tests/close.h"

#include <cmath>

namespace steepest::testing {

// Roundings on the longest way from a weight to a loss and back: a sum has as many as terms, elementwise ops about
// eight; the backward pass does each op twice.
inline double roundings(const Gpt2Config& c) {
    const double C = c.width, norm = C + 8, attention = C / c.heads + c.context + 8;
    const double block = 2 * norm + C + attention + C + C + 8 + 4 * C;
    return 3 * (c.layers * block + norm + C + c.vocab);
}

// Relative to the size of the terms. Rounding errors of n operations add up to at most 4 sqrt(n) u but for one time in
// 1500: Higham, Mary 2019, "A new approach to probabilistic rounding error analysis", theorem 2.4.
inline double rounding_error(const Gpt2Config& config) { return 4 * std::sqrt(roundings(config)) * kF32; }

}  // namespace steepest::testing
