#pragma once
// GELU and its derivative (ops/gelu.h) for the kernels that end in one. About 25 instructions each: at 4 bytes an
// element and more the memory stays the limit.
#include <cuda_runtime.h>

namespace steepest::cuda {

constexpr float kGeluScale = 0.79788456080286536f;  // sqrt(2/pi)
constexpr float kGeluCubic = 0.044715f;

// gelu(x) = x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), because (1 + tanh u) / 2 = sigmoid(2u): unlike 1 +
// tanh, which cancels, this is relatively exact for negative x too. expf is right to 1 unit in the last place and
// __fdividef to 2; where the latter gives 0 for a quotient (divisors past 2^126) gelu is below 2^-122.
__device__ inline float gelu(float x) {
    const float u = kGeluScale * x * (1 + kGeluCubic * x * x);
    return __fdividef(x, 1 + expf(-2 * u));
}

// gelu'(x) = s + 2 x s (1 - s) u', s = sigmoid(2u). Past |x| = 10 it is 0 or 1 to the last bit, and infinity times 0
// must not show.
__device__ inline float gelu_derivative(float x) {
    const float square = x * x;
    const float u = kGeluScale * x * (1 + kGeluCubic * square);
    const float slope = kGeluScale * (1 + 3 * kGeluCubic * square);
    const float e = expf(-2 * u);
    const float s = __fdividef(1.0f, 1 + e);
    const float derivative = s + 2 * x * s * (e * s) * slope;
    return x > 10 ? 1 : x < -10 ? 0 : derivative;
}

}  // namespace steepest::cuda
