#pragma once
// What the tests of the model's ops share beyond harness.h: the same bytes on every thread count, allowances an
// element, element types.
#include "ops/op.h"
#include "tests/close.h"
#include "tests/harness.h"

#include <gtest/gtest.h>
#include <tuple>
#include <vector>

namespace steepest::testing {

// Unit roundoff of a store to T.
template <class T>
inline constexpr double kStore = sizeof(T) == 2 ? kBf16 : kF32;

inline double largest(const std::vector<double>& v) {
    double m = 0;
    for (const double x : v) m = std::max(m, std::abs(x));
    return m;
}

// f(device) returns a tuple of vectors. Runs it with every thread count, expects the same bytes, returns them.
template <class F>
auto on_all_backends(const F& f) {
    const auto all = backends();
    const auto first = f(all[0].device);
    for (std::size_t i = 1; i < all.size(); ++i) {
        const auto other = f(all[i].device);
        [&]<std::size_t... k>(std::index_sequence<k...>) {
            EXPECT_TRUE((same_bytes(std::get<k>(first), std::get<k>(other)) && ...))
                << all[0].name << " and " << all[i].name << " differ";
        }
        (std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<decltype(first)>>>());
    }
    return first;
}

template <class... T>
void expect_intact(const Guarded<T>&... t) {
    EXPECT_TRUE((t.guards_intact() && ...)) << "written past an end";
}

// |actual - value| <= factor * magnitude + relative * |value|, for sums whose terms differ much in size between
// elements. Below 2^-100 there is no claim: terms may have been flushed to zero.
template <class T>
void expect_sums_close(std::string_view what, const std::vector<T>& actual, const std::vector<double>& value,
                       const std::vector<double>& magnitude, double factor, double relative) {
    ASSERT_EQ(actual.size(), value.size()) << what;
    std::vector<double> ratio(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
        const double error = std::abs(double(actual[i]) - value[i]);
        ratio[i] = error == 0 ? 0 : error / (factor * magnitude[i] + relative * std::abs(value[i]) + 0x1p-100);
    }
    expect_close(what, ratio, std::vector<double>(ratio.size()), {.absolute = 1, .relative = 0});
}

using FloatTypes = ::testing::Types<float, bf16>;
struct TypeName {
    template <class T>
    static std::string GetName(int) {
        return std::string(name_of(dtype_of<T>()));
    }
};

}  // namespace steepest::testing
