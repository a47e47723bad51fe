// Sums in 32 lanes of doubles: a product of two floats is exact in a double, and double keeps pace with memory. The
// lanes are spelled out because a compiler may not reorder a sum by itself.
#include "kernels/cpu/reduce.h"

#include "kernels/cpu/simd.h"

#include <cmath>
#include <cstring>

namespace steepest::cpu {
namespace {

using Floats = float __attribute__((vector_size(32)));
using Doubles = double __attribute__((vector_size(64)));
constexpr std::int64_t kWidth = 8, kLanes = 32;

STEEPEST_INLINE void load(Doubles& to, const float* from) {
    Floats f;
    std::memcpy(&f, from, sizeof f);
    to = __builtin_convertvector(f, Doubles);
}

// Adds term(a, b) to the lanes, term being a callable on doubles and on vectors of them.
template <class Term>
STEEPEST_INLINE double sum_lanes(const float* x, const float* y, std::int64_t n, Term&& term) {
    Doubles lanes[kLanes / kWidth] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (std::int64_t v = 0; v < kLanes / kWidth; ++v) {
            Doubles a, b;
            load(a, x + i + v * kWidth), load(b, y + i + v * kWidth);
            term(lanes[v], a, b);
        }
    lanes[0] += lanes[1], lanes[2] += lanes[3], lanes[0] += lanes[2];
    double total = 0;
    for (std::int64_t v = 0; v < kWidth; ++v) total += lanes[0][v];
    for (; i < n; ++i) term(total, double(x[i]), double(y[i]));
    return total;
}

struct Product {
    template <class T>
    STEEPEST_INLINE void operator()(T& sum, const T& a, const T& b) const {
        sum += a * b;
    }
};

struct Magnitude {
    template <class T>
    STEEPEST_INLINE void operator()(T& sum, const T& a, const T&) const {
        sum += a < 0 ? -a : a;
    }
};

}  // namespace

STEEPEST_SIMD double sum_of_squares(const float* x, std::int64_t n) { return sum_lanes(x, x, n, Product{}); }
STEEPEST_SIMD double sum_of_magnitudes(const float* x, std::int64_t n) { return sum_lanes(x, x, n, Magnitude{}); }
STEEPEST_SIMD double dot(const float* x, const float* y, std::int64_t n) { return sum_lanes(x, y, n, Product{}); }

}  // namespace steepest::cpu
