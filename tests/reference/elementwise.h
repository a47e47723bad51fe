#pragma once
// The optimizers' elementwise rules as their papers print them, one element at a time, in double.
#include <algorithm>
#include <cmath>

namespace steepest::reference {

// Lion, Chen et al. 2023, algorithm 2: c = b1 m + (1 - b1) g, m = b2 m + (1 - b2) g; the direction is c.
struct DualEma {
    double b1, b2;
    double operator()(double& m, double g) const {
        const double c = b1 * m + (1 - b1) * g;
        m = b2 * m + (1 - b2) * g;
        return c;
    }
};

// Kingma, Ba 2015, algorithm 1, with t the number of the step, from 1.
struct Adam {
    double b1, b2, epsilon;
    int t;
    double operator()(double& m, double& v, double g) const {
        m = b1 * m + (1 - b1) * g;
        v = b2 * v + (1 - b2) * g * g;
        return m / (1 - std::pow(b1, t)) / (std::sqrt(v / (1 - std::pow(b2, t))) + epsilon);
    }
};

// MARS, Yuan et al. 2024, eq. 3.1: c = g + gamma beta / (1 - beta) (g - g_other).
inline double mvr_correct(double g, double other, double gamma, double beta) {
    return g + gamma * beta / (1 - beta) * (g - other);
}

// MARS, algorithm 1, lines 5 and 6: clip c to the given norm, then average.
inline double clipped(double c, double norm, double max_norm) {
    return max_norm > 0 && norm > max_norm ? c / norm * max_norm : c;
}

inline double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

// AdamW, Loshchilov, Hutter 2019, algorithm 2, line 12: w = w - lr * direction - lr * decay * w.
inline double decoupled_update(double w, double direction, double learning_rate, double decay) {
    return w - learning_rate * direction - learning_rate * decay * w;
}

}  // namespace steepest::reference
