#pragma once
// Means over seeds and differences between two arms, with 95 % intervals of Student's t (boost::math).
#include <cstddef>
#include <span>

namespace steepest::report {

// All NaN but `n` and, for one value, `mean`, where there are too few values to know.
struct Summary {
    std::size_t n = 0;
    double mean, standard_error;  // of the mean: sample deviation (n - 1) over sqrt(n)
    double half_width;            // of the 95 % interval, mean +- half_width, with n - 1 degrees of freedom
};
Summary summarize(std::span<const double> values);

struct Difference {
    double mean;       // of a minus b
    double low, high;  // 95 % interval
    double degrees;    // of freedom
    double p;          // two-sided, of no difference
    // NaN intervals, from fewer than two values a side, are not significant.
    bool significant() const { return low > 0 || high < 0; }
};
// a[i] and b[i] share what is random between them; as many of both. Equal differences everywhere give an interval of no
// width.
Difference paired_difference(std::span<const double> a, std::span<const double> b);
// Independent samples of unequal variance: Welch's interval with Satterthwaite's degrees of freedom.
Difference welch_difference(std::span<const double> a, std::span<const double> b);

}  // namespace steepest::report
