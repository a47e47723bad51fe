#pragma once
// Reductions of lists of arrays, in double.
#include <cmath>
#include <vector>

namespace steepest::reference {

using Arrays = std::vector<std::vector<double>>;

inline double sum_of_squares(const std::vector<double>& x) {
    double sum = 0;
    for (const double v : x) sum += v * v;
    return sum;
}

inline double sum_of_magnitudes(const std::vector<double>& x) {
    double sum = 0;
    for (const double v : x) sum += std::abs(v);
    return sum;
}

inline double sum_of_squares(const Arrays& list) {
    double sum = 0;
    for (const auto& x : list) sum += sum_of_squares(x);
    return sum;
}

// Pascanu, Mikolov, Bengio 2013, algorithm 1: if the norm exceeds the threshold, g = threshold / norm * g.
inline double clip_factor(double norm, double threshold) {
    return threshold > 0 && norm >= threshold ? threshold / norm : 1;
}

}  // namespace steepest::reference
