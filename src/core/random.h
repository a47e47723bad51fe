#pragma once
// Counter-based random numbers: a value is a pure function of (seed, purpose, step, index), so the same config gives
// the same numbers on every backend, rank count and after every resume, and nothing has to be saved. Philox4x32-10:
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#include <array>
#include <cstdint>
#include <string_view>

namespace steepest {

using Philox4 = std::array<std::uint32_t, 4>;

constexpr Philox4 philox(Philox4 counter, std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0], p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
                   static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
        key[0] += 0x9E3779B9u, key[1] += 0xBB67AE85u;
    }
    return counter;
}

// One stream: seed and purpose make the key; (step, index) the counter.
class Random {
public:
    using Key = std::array<std::uint32_t, 2>;

    Random(std::uint64_t seed, std::string_view purpose, std::uint64_t step = 0);
    // The key of a stream, for those who draw from it elsewhere, and the stream of a key.
    const Key& key() const { return key_; }
    Random(const Key& key, std::uint64_t step);

    // Four words of block `index`.
    Philox4 words(std::uint64_t index) const {
        return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), step_[0], step_[1]},
                      key_);
    }
    std::uint32_t word(std::uint64_t index) const { return words(index / 4)[index % 4]; }
    // In [0, 1), 53 bits: words 2i and 2i+1.
    double uniform(std::uint64_t index) const;
    // Standard normal by Box-Muller in double, one value an index; equal on every host whose libm rounds log, cos
    // alike.
    double normal(std::uint64_t index) const;
    // In [0, n), unbiased to 2^-64.
    std::uint64_t below(std::uint64_t n, std::uint64_t index) const;

private:
    Key key_;
    std::array<std::uint32_t, 2> step_;
};

}  // namespace steepest
