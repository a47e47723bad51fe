#include "data/permutation.h"

#include <cassert>
#include <cmath>

namespace steepest {

namespace {

// Four rounds make a Feistel cipher look random for large domains (Luby, Rackoff 1988); small ones want more.
constexpr std::uint64_t kRounds = 12;

// The least a with a a >= n. The double is within one of it.
std::uint64_t root_above(std::uint64_t n) {
    auto a = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(n)));
    while (a * a < n) ++a;
    while (a > 1 && (a - 1) * (a - 1) >= n) --a;
    return a;
}

}  // namespace

Permutation::Permutation(std::int64_t n, const Random& random) : random_(random), n_(static_cast<std::uint64_t>(n)) {
    assert(n > 0 && n <= std::int64_t{1} << 62);
    a_ = root_above(n_);
    b_ = (n_ + a_ - 1) / a_;
}

std::int64_t Permutation::operator()(std::int64_t index) const {
    assert(index >= 0 && static_cast<std::uint64_t>(index) < n_);
    auto x = static_cast<std::uint64_t>(index);
    // A walk along a cycle of the bijection on [0, a b) from inside [0, n) comes back inside; a b < n + a, so it takes
    // more than one step once in sqrt(n) calls.
    do {
        std::uint64_t left = x % a_, right = x / a_;
        for (std::uint64_t round = 0; round < kRounds; round += 2) {
            left = (left + random_.below(a_, round << 32 | right)) % a_;
            right = (right + random_.below(b_, (round + 1) << 32 | left)) % b_;
        }
        x = left + a_ * right;
    } while (x >= n_);
    return static_cast<std::int64_t>(x);
}

}  // namespace steepest
