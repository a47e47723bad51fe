#pragma once
// Scalar functions that g++ vectorises when they are inlined into a loop of a STEEPEST_SIMD function: no branches, no
// table, no call.
#include "core/bf16.h"
#include "kernels/cpu/simd.h"

#include <bit>
#include <cstdint>

namespace steepest::cpu {

// to = x, rounded to its type. For bf16 by its bits, because g++ 12 does not vectorise the copy of a struct.
STEEPEST_INLINE void assign(float& to, float x) { to = x; }
STEEPEST_INLINE void assign(bf16& to, float x) { to.bits = bf16(x).bits; }

// e^x to 2 units in the last place. Results below 2^-125 are 0, above the largest float infinity; a NaN stays one.
// Range reduction in two parts and polynomial: Moshier, Cephes library, expf.c.
STEEPEST_INLINE float fast_exp(float x) {
    constexpr float kRound = 0x1.8p23f;  // adding it leaves an integer in the low bits of the mantissa
    x = x < -87.3f ? -87.3f : x;
    x = x > 89.0f ? 89.0f : x;
    const float shifted = x * 1.44269504088896341f + kRound;
    const float n = shifted - kRound;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const float e = p * r * r + r + 1;
    // 2^(n-1), then times 2, because 2^128 has no bits of its own. At n = -126 the first factor is 0.
    const std::uint32_t half_scale =
        (std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kRound) + 126u) << 23;
    return e * std::bit_cast<float>(half_scale) * 2;
}

// sqrt(2/pi) and the cubic coefficient of the tanh form (ops/gelu.h).
inline constexpr float kGeluScale = 0.79788456080286536f, kGeluCubic = 0.044715f;

// gelu(x) = x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), because (1 + tanh u) / 2 = sigmoid(2u): unlike 1 +
// tanh, which cancels, this is relatively exact for negative x too.
STEEPEST_INLINE float gelu(float x) {
    const float u = kGeluScale * x * (1 + kGeluCubic * x * x);
    return x / (1 + fast_exp(-2 * u));
}

// gelu'(x) = s + 2 x s (1 - s) u', s = sigmoid(2u). Past |x| = 10 it is 0 or 1 to the last bit, and there x^2 times 0
// must not become NaN.
STEEPEST_INLINE float gelu_derivative(float x) {
    x = x < -10.0f ? -10.0f : x;
    x = x > 10.0f ? 10.0f : x;
    const float square = x * x;
    const float u = kGeluScale * x * (1 + kGeluCubic * square);
    const float slope = kGeluScale * (1 + 3 * kGeluCubic * square);
    const float e = fast_exp(-2 * u);
    const float s = 1 / (1 + e);
    return s + 2 * x * s * (e * s) * slope;
}

}  // namespace steepest::cpu
