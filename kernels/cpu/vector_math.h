#pragma once
// Scalar functions that g++ vectorises when they are inlined into a loop of a STEEPEST_SIMD function: no branches, no
// table, no call.
#include "core/bf16.h"
#include "kernels/cpu/simd.h"

#include <bit>
#include <cstdint>
#include <limits>

namespace steepest::cpu {

// to = x, rounded to its type. For bf16 by its bits, because g++ 12 does not vectorise the copy of a struct.
STEEPEST_INLINE void assign(float& to, float x) { to = x; }
STEEPEST_INLINE void assign(bf16& to, float x) { to.bits = bf16(x).bits; }

// e^x to 2 units in the last place; below -87.3 zero, above 88.3 infinity; a NaN stays one.
// Range reduction in two parts and polynomial: Moshier, Cephes library, expf.c. The ends are chosen last: g++ turns a
// clamp of the argument into several masks.
STEEPEST_INLINE float fast_exp(float x) {
    constexpr float kRound = 0x1.8p23f;  // adding it leaves an integer in the low bits of the mantissa
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
    // 2^n: the shift drops all of kRound's own bits.
    const float scale = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23) + (127u << 23));
    return x < -87.3f ? 0 : x > 88.3f ? std::numeric_limits<float>::infinity() : e * scale;
}

// sqrt(2/pi) and the cubic coefficient of the tanh form (ops/gelu.h).
inline constexpr float kGeluScale = 0.79788456080286536f, kGeluCubic = 0.044715f;

// gelu(x) = x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), because (1 + tanh u) / 2 = sigmoid(2u): unlike 1 +
// tanh, which cancels, this is relatively exact for negative x too.
STEEPEST_INLINE float gelu(float x) {
    const float u = kGeluScale * x * (1 + kGeluCubic * x * x);
    return x / (1 + fast_exp(-2 * u));
}

// gelu'(x) = s + 2 x s (1 - s) u', s = sigmoid(2u). Past |x| = 10 it is 0 or 1 to the last bit, and infinity times 0
// must not show.
STEEPEST_INLINE float gelu_derivative(float x) {
    const float square = x * x;
    const float u = kGeluScale * x * (1 + kGeluCubic * square);
    const float slope = kGeluScale * (1 + 3 * kGeluCubic * square);
    const float e = fast_exp(-2 * u);
    const float s = 1 / (1 + e);
    const float derivative = s + 2 * x * s * (e * s) * slope;
    return x > 10 ? 1 : x < -10 ? 0 : derivative;
}

}  // namespace steepest::cpu
