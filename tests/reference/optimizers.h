#pragma once
// The optimizers of configs/optimizers as their papers and first implementations print them, in double, one parameter
// at a time. Written from those formulas, not from our stages: no gains, lists, gates or shared estimators here.
#include "tests/reference/orthogonalize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace steepest::reference {

using Values = std::vector<double>;

inline double norm_of(const Values& x) {
    double sum = 0;
    for (const double v : x) sum += v * v;
    return std::sqrt(sum);
}

// W = (1 - eta lambda) W - eta * step.
inline void decoupled_step(Values& w, const Values& step, double eta, double lambda, double scale = 1) {
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= eta * lambda * w[i], w[i] -= eta * scale * step[i];
}

// torch.optim.SGD: buf = mu buf + g (the first is g); nesterov: g + mu buf. Decay decoupled, as everywhere here.
struct TorchSgd {
    double eta, lambda, mu;
    bool nesterov;
    Values buf = {};

    void step(Values& w, const Values& g) {
        Values d = g;
        if (mu != 0) {
            if (buf.empty())
                buf = g;
            else
                for (std::size_t i = 0; i < g.size(); ++i) buf[i] = mu * buf[i] + g[i];
            for (std::size_t i = 0; i < g.size(); ++i) d[i] = nesterov ? g[i] + mu * buf[i] : buf[i];
        }
        decoupled_step(w, d, eta, lambda);
    }
};

// Bernstein et al. 2018, algorithms 1 (beta = 0) and 2.
struct Signum {
    double eta, lambda, beta;
    Values m = {};
    Values margin = {};  // the smallest |argument of sign| so far: below rounding, the sign is anyone's

    void step(Values& w, const Values& g) {
        m.resize(g.size()), margin.resize(g.size(), std::numeric_limits<double>::infinity());
        Values d(g.size());
        for (std::size_t i = 0; i < g.size(); ++i) {
            m[i] = beta * m[i] + (1 - beta) * g[i];
            d[i] = (m[i] > 0) - (m[i] < 0);
            if (m[i] != 0) margin[i] = std::min(margin[i], std::abs(m[i]));
        }
        decoupled_step(w, d, eta, lambda);
    }
};

// Chen et al. 2023, algorithm 2.
struct Lion {
    double eta, lambda, b1, b2;
    Values m = {};
    Values margin = {};

    void step(Values& w, const Values& g) {
        m.resize(g.size()), margin.resize(g.size(), std::numeric_limits<double>::infinity());
        for (std::size_t i = 0; i < g.size(); ++i) {
            const double c = b1 * m[i] + (1 - b1) * g[i];
            const double sign = (c > 0) - (c < 0);
            w[i] = w[i] - eta * (sign + lambda * w[i]);
            m[i] = b2 * m[i] + (1 - b2) * g[i];
            if (c != 0) margin[i] = std::min(margin[i], std::abs(c));
        }
    }
};

// Loshchilov, Hutter 2019, algorithm 2.
struct AdamW {
    double eta, lambda, b1, b2, epsilon;
    int t = 0;
    Values m = {}, v = {};

    void step(Values& w, const Values& g) {
        ++t;
        m.resize(g.size()), v.resize(g.size());
        for (std::size_t i = 0; i < g.size(); ++i) {
            m[i] = b1 * m[i] + (1 - b1) * g[i];
            v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
            const double m_hat = m[i] / (1 - std::pow(b1, t)), v_hat = v[i] / (1 - std::pow(b2, t));
            w[i] = w[i] - eta * (m_hat / (std::sqrt(v_hat) + epsilon) + lambda * w[i]);
        }
    }
};

// zeropower_via_newtonschulz5 of github.com/KellerJordan/Muon, without its rounding to bf16.
inline Values newton_schulz_5(const Values& g, std::int64_t rows, std::int64_t cols) {
    const double a = 3.4445, b = -4.7750, c = 2.0315;
    Dense x(rows, cols, g);
    if (rows > cols) x = x.t();
    const double size = frobenius(x) + 1e-7;
    for (double& v : x.data) v /= size;
    for (int k = 0; k < 5; ++k) {
        const Dense A = x * x.t(), A2 = A * A;
        Dense B = A;
        for (std::size_t i = 0; i < B.data.size(); ++i) B.data[i] = b * A.data[i] + c * A2.data[i];
        const Dense Bx = B * x;
        for (std::size_t i = 0; i < x.data.size(); ++i) x.data[i] = a * x.data[i] + Bx.data[i];
    }
    return rows > cols ? x.t().data : x.data;
}

// muon_update of github.com/KellerJordan/Muon: lerp, Nesterov by a second lerp, sqrt(max(1, rows / cols)).
struct KellerMuon {
    double eta, lambda, beta;
    std::int64_t rows, cols;
    Values m = {};

    void step(Values& w, const Values& g) {
        m.resize(g.size());
        Values update(g.size());
        for (std::size_t i = 0; i < g.size(); ++i) {
            m[i] += (1 - beta) * (g[i] - m[i]);
            update[i] = g[i] + beta * (m[i] - g[i]);
        }
        const double ratio = static_cast<double>(rows) / static_cast<double>(cols);
        decoupled_step(w, newton_schulz_5(update, rows, cols), eta, lambda, std::sqrt(std::max(1.0, ratio)));
    }
};

// Muon of github.com/MoonshotAI/Moonlight: heavy-ball buffer, Nesterov, 0.2 sqrt(max(rows, cols)).
struct MoonlightMuon {
    double eta, lambda, mu;
    std::int64_t rows, cols;
    Values buf = {};

    void step(Values& w, const Values& g) {
        buf.resize(g.size());
        Values update(g.size());
        for (std::size_t i = 0; i < g.size(); ++i) {
            buf[i] = mu * buf[i] + g[i];
            update[i] = g[i] + mu * buf[i];
        }
        decoupled_step(w, newton_schulz_5(update, rows, cols), eta, lambda,
                       0.2 * std::sqrt(static_cast<double>(std::max(rows, cols))));
    }
};

// MuonMVR of github.com/MaeChd/muon-eq (language models): C, its clip to norm 1, M, NS5(M / (1 - beta)).
struct MuonMvr {
    double eta, lambda, beta, gamma;
    std::int64_t rows, cols;
    Values m = {}, last = {};  // `last`: the step before's gradient, of MVR1

    // `before`: this batch's gradient at the weights before (MVR2); null: MVR1.
    void step(Values& w, const Values& g, const Values* before) {
        m.resize(g.size()), last.resize(g.size());
        const Values& other = before ? *before : last;
        Values c(g.size()), argument(g.size());
        for (std::size_t i = 0; i < g.size(); ++i) c[i] = g[i] + gamma * (beta / (1 - beta)) * (g[i] - other[i]);
        const double norm = norm_of(c);
        if (norm > 1)
            for (double& v : c) v /= norm;
        for (std::size_t i = 0; i < g.size(); ++i) {
            m[i] = beta * m[i] + (1 - beta) * c[i];
            argument[i] = m[i] / (1 - beta);
        }
        last = g;
        decoupled_step(w, newton_schulz_5(argument, rows, cols), eta, lambda,
                       0.2 * std::sqrt(static_cast<double>(std::max(rows, cols))));
    }
};

}  // namespace steepest::reference
