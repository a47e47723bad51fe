#include "core/random.h"

#include <cmath>
#include <numbers>

namespace steepest {

namespace {

// FNV-1a: the purpose is a short literal, and the hash must never change.
std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t h = 0xcbf29ce484222325u;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return h;
}

double unit(std::uint32_t high, std::uint32_t low) {
    return static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

}  // namespace

Random::Random(const Key& key, std::uint64_t step)
    : key_(key), step_{static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)} {}

Random::Random(std::uint64_t seed, std::string_view purpose, std::uint64_t step) : Random(Key{}, step) {
    const std::uint64_t h = fnv1a(purpose);
    const Philox4 k = philox({static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(h >> 32), 0, 0},
                             {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    key_ = {k[0], k[1]};
}

double Random::uniform(std::uint64_t index) const {
    const Philox4 w = words(index / 2);
    return index % 2 ? unit(w[2], w[3]) : unit(w[0], w[1]);
}

double Random::normal(std::uint64_t index) const {
    const Philox4 w = words(index / 2);
    const double radius = std::sqrt(-2 * std::log1p(-unit(w[0], w[1]))),
                 angle = 2 * std::numbers::pi * unit(w[2], w[3]);
    return radius * (index % 2 ? std::sin(angle) : std::cos(angle));
}

std::uint64_t Random::below(std::uint64_t n, std::uint64_t index) const {
    const Philox4 w = words(index / 2);
    const std::uint64_t x = index % 2 ? std::uint64_t{w[2]} << 32 | w[3] : std::uint64_t{w[0]} << 32 | w[1];
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(x) * n) >> 64);
}

}  // namespace steepest
