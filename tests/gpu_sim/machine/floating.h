#pragma once
// Floats of all widths: what the files of float instructions share.
#include "tests/gpu_sim/machine/decoding.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace gpu_sim {

// Instructions that exist for several types; the type has been taken from the modifiers.
void decode_floating(Decoding& d, Type type);
void decode_half(Decoding& d, Type type);

enum class Rounding : std::uint8_t { kNearest, kZero, kDown, kUp };

// The default is to nearest, ties to even.
inline Rounding take_rounding(Decoding& d) {
    if (d.take("rz")) return Rounding::kZero;
    if (d.take("rm")) return Rounding::kDown;
    if (d.take("rp")) return Rounding::kUp;
    d.take("rn");
    return Rounding::kNearest;
}

inline float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
// To [0, 1]; a NaN to 0.
template <class T>
inline T saturated(T x) {
    return x > T(0) ? (x < T(1) ? x : T(1)) : T(0);
}

// The exact value `sum` + `error`, with |error| below half a unit of `sum`, rounded to float in one step.
inline float round_directed(double sum, double error, Rounding mode) {
    float nearest = float(sum);
    if (mode == Rounding::kNearest || std::isnan(nearest) || std::isinf(sum)) return nearest;
    const bool above = double(nearest) > sum || (double(nearest) == sum && error < 0);
    const bool below = double(nearest) < sum || (double(nearest) == sum && error > 0);
    const bool down = mode == Rounding::kDown || (mode == Rounding::kZero && sum > 0);
    if (down && above) return std::nextafterf(nearest, -INFINITY);
    if (!down && below) return std::nextafterf(nearest, INFINITY);
    return nearest;
}

inline float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
inline float from_f16(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16, exponent = bits >> 10 & 31, mantissa = bits & 1023;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0) {
        const float magnitude = float(mantissa) * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}
// From double, so that sums and products of halves, which a double holds exactly, are rounded once. A NaN becomes the
// hardware's canonical one.
std::uint16_t to_bf16(double x, Rounding mode = Rounding::kNearest);
std::uint16_t to_f16(double x, Rounding mode = Rounding::kNearest);

}  // namespace gpu_sim
