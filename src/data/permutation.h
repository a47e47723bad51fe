#pragma once
// A random order of n things without storing it: a keyed bijection on [0, n), evaluated at any index in O(1) memory.
// Feistel rounds on (Z_a, Z_b), a b >= n, with cycle-walking: Black, Rogaway, "Ciphers with arbitrary finite domains",
// CT-RSA 2002, section 4 (methods 2 and 3).
#include "core/random.h"

#include <cstdint>

namespace steepest {

class Permutation {
public:
    // n in [1, 2^62]. `random` is the key: another seed, purpose or step is another order.
    Permutation(std::int64_t n, const Random& random);

    std::int64_t operator()(std::int64_t index) const;

private:
    Random random_;
    std::uint64_t n_, a_, b_;
};

}  // namespace steepest
