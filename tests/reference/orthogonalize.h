#pragma once
// Dense matrices in double, random orthogonal ones, and what Newton-Schulz must give: U p(S) V^T, with the polynomial
// composed on single numbers.
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace steepest::reference {

struct Dense {
    std::int64_t rows, cols;
    std::vector<double> data;

    Dense(std::int64_t r, std::int64_t c) : rows(r), cols(c), data(static_cast<std::size_t>(r * c)) {}
    Dense(std::int64_t r, std::int64_t c, std::vector<double> values) : rows(r), cols(c), data(std::move(values)) {}
    double& operator()(std::int64_t i, std::int64_t j) { return data[static_cast<std::size_t>(i * cols + j)]; }
    double operator()(std::int64_t i, std::int64_t j) const { return data[static_cast<std::size_t>(i * cols + j)]; }

    Dense t() const {
        Dense out(cols, rows);
        for (std::int64_t i = 0; i < rows; ++i)
            for (std::int64_t j = 0; j < cols; ++j) out(j, i) = (*this)(i, j);
        return out;
    }
};

inline Dense operator*(const Dense& a, const Dense& b) {
    Dense c(a.rows, b.cols);
    for (std::int64_t i = 0; i < a.rows; ++i)
        for (std::int64_t k = 0; k < a.cols; ++k)
            for (std::int64_t j = 0; j < b.cols; ++j) c(i, j) += a(i, k) * b(k, j);
    return c;
}

inline double frobenius(const Dense& a) {
    double sum = 0;
    for (const double v : a.data) sum += v * v;
    return std::sqrt(sum);
}

// ||a - b|| / ||b||, not a number if anything is.
inline double relative_distance(const Dense& a, const Dense& b) {
    Dense d = a;
    for (std::size_t i = 0; i < d.data.size(); ++i) d.data[i] -= b.data[i];
    return frobenius(d) / frobenius(b);
}

// Orthonormal columns spanning those of `a` (rows >= cols): QR by modified Gram-Schmidt, done twice, which makes them
// orthogonal to rounding (Giraud, Langou, Rozloznik 2005).
inline Dense orthonormal_columns(const Dense& a) {
    Dense rows = a.t();  // work on contiguous memory
    for (int pass = 0; pass < 2; ++pass)
        for (std::int64_t i = 0; i < rows.rows; ++i) {
            for (std::int64_t k = 0; k < i; ++k) {
                double dot = 0;
                for (std::int64_t j = 0; j < rows.cols; ++j) dot += rows(k, j) * rows(i, j);
                for (std::int64_t j = 0; j < rows.cols; ++j) rows(i, j) -= dot * rows(k, j);
            }
            double norm = 0;
            for (std::int64_t j = 0; j < rows.cols; ++j) norm += rows(i, j) * rows(i, j);
            norm = std::sqrt(norm);
            for (std::int64_t j = 0; j < rows.cols; ++j) rows(i, j) /= norm;
        }
    return rows.t();
}

// A singular value decomposition, from which the matrix is made.
struct Svd {
    Dense u, v;  // (rows, k) and (cols, k), orthonormal columns
    std::vector<double> s;

    Dense with(const std::vector<double>& values) const {
        Dense scaled = u;
        for (std::int64_t i = 0; i < u.rows; ++i)
            for (std::int64_t k = 0; k < u.cols; ++k) scaled(i, k) *= values[static_cast<std::size_t>(k)];
        return scaled * v.t();
    }
    Dense matrix() const { return with(s); }
};

// p(s) composed: s -> a s + b s^3 + c s^5.
inline double newton_schulz(double s, const std::vector<std::array<double, 3>>& coefficients) {
    for (const auto& [a, b, c] : coefficients) s = a * s + b * s * s * s + c * s * s * s * s * s;
    return s;
}

// U p(S / (norm_factor ||S|| + epsilon)) V^T.
inline Dense newton_schulz(const Svd& m, const std::vector<std::array<double, 3>>& coefficients, double norm_factor = 1,
                           double epsilon = 1e-7) {
    double norm = 0;
    for (const double s : m.s) norm += s * s;
    norm = std::sqrt(norm);
    std::vector<double> values;
    for (const double s : m.s) values.push_back(newton_schulz(s / (norm_factor * norm + epsilon), coefficients));
    return m.with(values);
}

}  // namespace steepest::reference
