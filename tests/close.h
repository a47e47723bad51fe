#pragma once
// Are these numbers close? The most important lines of the tests: a NaN fails, a negative number is not small, and
// every allowance is written at the call site as (roundings) * (unit roundoff) * (size of the terms).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <gtest/gtest.h>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace steepest::testing {

// Unit roundoffs: half the distance from 1 to the next number.
inline constexpr double kF32 = 0x1p-24, kBf16 = 0x1p-8;

// Allowed error for element i:  absolute + relative * |reference[i]|.
struct Tolerance {
    double absolute, relative;
};

struct Mismatch {
    std::size_t bad = 0, worst = 0;
    double worst_ratio = 0;  // error / allowed error; a NaN or an infinity counts as infinitely bad
};

template <class T>
Mismatch compare(std::span<const T> actual, std::span<const double> reference, Tolerance tol) {
    Mismatch m;
    if (actual.size() != reference.size())
        return {.bad = std::max(actual.size(), reference.size()), .worst_ratio = INFINITY};
    for (std::size_t i = 0; i < reference.size(); ++i) {
        const double error = std::abs(double(actual[i]) - reference[i]);
        const double allowed = tol.absolute + tol.relative * std::abs(reference[i]);
        const bool close = error <= allowed && std::isfinite(reference[i]);  // a NaN is not <= anything
        const double ratio = close && error == 0 ? 0 : std::isfinite(error) ? error / allowed : INFINITY;
        m.bad += !close;
        if (!(ratio <= m.worst_ratio)) m.worst_ratio = ratio, m.worst = i;
    }
    return m;
}

template <class T>
void expect_close(std::string_view what, const std::vector<T>& actual, const std::vector<double>& reference,
                  Tolerance tol) {
    const Mismatch m = compare<T>(actual, reference, tol);
    EXPECT_EQ(m.bad, 0u) << what << ": " << m.bad << " of " << reference.size() << " elements differ; the worst is ["
                         << m.worst << "]: "
                         << (m.worst < actual.size() ? double(actual[m.worst])
                                                     : std::numeric_limits<double>::quiet_NaN())
                         << ", expected " << (m.worst < reference.size() ? reference[m.worst] : 0.0) << ", "
                         << m.worst_ratio << " times the allowed error";
}

}  // namespace steepest::testing
