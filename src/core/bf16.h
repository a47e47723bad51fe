#pragma once
// bfloat16: the upper half of a float. Unit roundoff 2^-8.
#include <bit>
#include <cstdint>

namespace steepest {

struct bf16 {
    std::uint16_t bits;

    bf16() = default;
    // Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
    [[gnu::always_inline]] explicit bf16(float x) {
        const auto u = std::bit_cast<std::uint32_t>(x);
        const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
        const std::uint32_t nan = (u >> 16) | 0x40u;
        bits = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
    }
    [[gnu::always_inline]] operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

}  // namespace steepest
