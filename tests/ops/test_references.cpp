// The references are what every kernel is judged by; here their backward passes are judged by their forward passes,
// through central differences: with step h = 1e-5 their error is h^2 / 6 times a third derivative of order 1, plus
// 2^-53 / h of rounding.
#include "tests/close.h"
#include "tests/harness.h"
#include "tests/reference/attention.h"
#include "tests/reference/cross_entropy.h"
#include "tests/reference/embedding.h"
#include "tests/reference/gelu.h"
#include "tests/reference/layernorm.h"
#include "tests/reference/matmul.h"

#include <functional>

namespace steepest::testing {
namespace {

constexpr Tolerance kDifferences{.absolute = 1e-8, .relative = 1e-8};

double weighted_sum(const std::vector<double>& values, const std::vector<double>& weights) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * weights[i];
    return sum;
}

// Gradient of f at x.
std::vector<double> differences(const std::function<double(const std::vector<double>&)>& f, std::vector<double> x) {
    constexpr double h = 1e-5;
    std::vector<double> gradient(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double at = x[i];
        x[i] = at + h;
        const double above = f(x);
        x[i] = at - h;
        const double below = f(x);
        x[i] = at;
        gradient[i] = (above - below) / (2 * h);
    }
    return gradient;
}

TEST(References, Gelu) {
    for (const double x : normal(50, "x", 3)) {
        const auto f = [](const std::vector<double>& at) { return gelu_reference(at[0]); };
        expect_close("dx", std::vector<double>{gelu_derivative_reference(x)}, differences(f, {x}), kDifferences);
    }
    // Hendrycks and Gimpel: about 0.5 x (1 + tanh(...)); at 1 by hand: tanh(0.7978845608 * 1.044715) = tanh(0.8335619)
    // = 0.6823840.
    EXPECT_NEAR(gelu_reference(1), 0.8411920, 1e-6);
}

TEST(References, LayerNorm) {
    constexpr std::size_t N = 3, C = 7;
    const auto x = normal(N * C, "x"), w = normal(C, "w"), b = normal(C, "b"), dy = normal(N * C, "dy"),
               residual = normal(N * C, "r");
    const auto forward = layernorm_reference(x, w, b, 1e-5);
    const auto backward = layernorm_gradient_reference(dy, x, w, forward.mean, forward.rstd, residual);
    const auto loss = [&](const std::vector<double>& xs, const std::vector<double>& ws, const std::vector<double>& bs) {
        return weighted_sum(layernorm_reference(xs, ws, bs, 1e-5).y, dy);
    };
    auto dx = differences([&](const std::vector<double>& at) { return loss(at, w, b); }, x);
    for (std::size_t i = 0; i < dx.size(); ++i) dx[i] += residual[i];
    expect_close("dx", backward.dx, dx, kDifferences);
    expect_close("dweight", backward.dweight,
                 differences([&](const std::vector<double>& at) { return loss(x, at, b); }, w), kDifferences);
    expect_close("dbias", backward.dbias, differences([&](const std::vector<double>& at) { return loss(x, w, at); }, b),
                 kDifferences);
}

TEST(References, Embedding) {
    constexpr std::size_t T = 3, C = 2;
    const std::vector<double> tokens{1, 0, 1, 3, 1, 2};
    const auto wte = normal(5 * C, "wte"), wpe = normal(T * C, "wpe"), dy = normal(tokens.size() * C, "dy");
    std::vector<double> dwte(wte.size()), dwpe(wpe.size());
    embedding_gradient_reference(dwte, dwpe, dy, tokens, T, C);
    const auto loss = [&](const std::vector<double>& e, const std::vector<double>& p) {
        return weighted_sum(embedding_reference(tokens, e, p, T, C), dy);
    };
    expect_close("dwte", dwte, differences([&](const std::vector<double>& at) { return loss(at, wpe); }, wte),
                 kDifferences);
    expect_close("dwpe", dwpe, differences([&](const std::vector<double>& at) { return loss(wte, at); }, wpe),
                 kDifferences);
}

TEST(References, Linear) {
    constexpr std::size_t N = 3, C = 4, O = 5;
    const auto x = normal(N * C, "x"), w = normal(O * C, "w"), dy = normal(N * O, "dy"), b = normal(O, "b");
    const auto loss = [&](const std::vector<double>& xs, const std::vector<double>& ws, const std::vector<double>& bs) {
        auto y = linear_reference(xs, ws, N, C, O).value;
        for (std::size_t i = 0; i < y.size(); ++i) y[i] += bs[i % O];
        return weighted_sum(y, dy);
    };
    expect_close("dx", linear_input_gradient_reference(dy, w, N, C, O).value,
                 differences([&](const std::vector<double>& at) { return loss(at, w, b); }, x), kDifferences);
    expect_close("dweight", linear_weight_gradient_reference(dy, x, N, C, O).value,
                 differences([&](const std::vector<double>& at) { return loss(x, at, b); }, w), kDifferences);
    expect_close("dbias", column_sums_reference(dy, N, O).value,
                 differences([&](const std::vector<double>& at) { return loss(x, w, at); }, b), kDifferences);
}

TEST(References, CrossEntropy) {
    constexpr std::size_t width = 8, vocab = 6;
    const std::vector<double> targets{0, 5, 2};
    const auto logits = normal(targets.size() * width, "logits", 3);
    const auto loss = [&](const std::vector<double>& at) {
        return weighted_sum(cross_entropy_reference(at, targets, width, vocab, 1).loss, {0.5, 0.5, 0.5});
    };
    expect_close("dlogits", cross_entropy_reference(logits, targets, width, vocab, 0.5).dlogits,
                 differences(loss, logits), kDifferences);
}

TEST(References, Attention) {
    const AttentionSizes z{.B = 2, .T = 5, .C = 6, .heads = 2};
    const auto qkv = normal(z.B * z.T * 3 * z.C, "qkv"), dout = normal(z.B * z.T * z.C, "dout");
    const auto forward = attention_reference(qkv, z);
    const auto loss = [&](const std::vector<double>& at) { return weighted_sum(attention_reference(at, z).out, dout); };
    expect_close("dqkv", attention_gradient_reference(dout, forward.out, forward.lse, qkv, z).dqkv,
                 differences(loss, qkv), kDifferences);
}

}  // namespace
}  // namespace steepest::testing
