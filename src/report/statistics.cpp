#include "report/statistics.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace steepest::report {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTail = 0.025;  // of a 95 % interval, on each side

double mean_of(std::span<const double> values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

// Sample variance over n: the square of the mean's standard error.
double squared_error(std::span<const double> values, double mean) {
    const double n = static_cast<double>(values.size());
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    return squares / (n - 1) / n;
}

Difference difference(double mean, double error, double degrees) {
    if (!(error > 0)) return {mean, mean, mean, degrees, mean == 0 ? 1.0 : 0.0};
    const boost::math::students_t t(degrees);
    const double half = boost::math::quantile(boost::math::complement(t, kTail)) * error;
    const double p = 2 * boost::math::cdf(boost::math::complement(t, std::abs(mean) / error));
    return {mean, mean - half, mean + half, degrees, p};
}

}  // namespace

Summary summarize(std::span<const double> values) {
    const std::size_t n = values.size();
    if (n == 0) return {0, kNaN, kNaN, kNaN};
    const double mean = mean_of(values);
    if (n == 1) return {1, mean, kNaN, kNaN};
    const double error = std::sqrt(squared_error(values, mean));
    const boost::math::students_t t(static_cast<double>(n - 1));
    return {n, mean, error, error * boost::math::quantile(boost::math::complement(t, kTail))};
}

Difference paired_difference(std::span<const double> a, std::span<const double> b) {
    if (a.size() != b.size()) throw std::logic_error("paired_difference: as many of both");
    std::vector<double> differences;
    for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
    if (differences.empty()) return {kNaN, kNaN, kNaN, kNaN, kNaN};
    const double mean = mean_of(differences);
    if (differences.size() == 1) return {mean, kNaN, kNaN, kNaN, kNaN};
    return difference(mean, std::sqrt(squared_error(differences, mean)), static_cast<double>(differences.size() - 1));
}

Difference welch_difference(std::span<const double> a, std::span<const double> b) {
    if (a.empty() || b.empty()) return {kNaN, kNaN, kNaN, kNaN, kNaN};
    const double mean_a = mean_of(a), mean_b = mean_of(b), mean = mean_a - mean_b;
    if (a.size() < 2 || b.size() < 2) return {mean, kNaN, kNaN, kNaN, kNaN};
    const double va = squared_error(a, mean_a), vb = squared_error(b, mean_b);
    const double na = static_cast<double>(a.size()), nb = static_cast<double>(b.size());
    const double degrees = (va + vb) * (va + vb) / (va * va / (na - 1) + vb * vb / (nb - 1));
    return difference(mean, std::sqrt(va + vb), degrees);
}

}  // namespace steepest::report
