#pragma once
// GELU in double, as src/ops/gelu.h states it.
#include <cmath>
#include <numbers>

namespace steepest::testing {

inline double gelu_reference(double x) {
    return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

// d gelu / dx by the product rule; tanh' = 1 - tanh^2.
inline double gelu_derivative_reference(double x) {
    const double scale = std::sqrt(2 / std::numbers::pi);
    const double tanh = std::tanh(scale * (x + 0.044715 * x * x * x));
    return (1 + tanh) / 2 + x / 2 * (1 - tanh * tanh) * scale * (1 + 3 * 0.044715 * x * x);
}

}  // namespace steepest::testing
