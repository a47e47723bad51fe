// The optimizers' elementwise stages against their papers' formulas.
#include "ops/elementwise.h"
#include "tests/close.h"
#include "tests/ops/list.h"
#include "tests/reference/elementwise.h"
#include "tests/reference/norm.h"

namespace steepest {
namespace {

using namespace testing;

// Inputs are standard normal and 70,000 long: none exceeds this.
constexpr double kLargest = 5;

std::vector<double> blended(const std::vector<double>& a, const std::vector<double>& b,
                            const std::function<double(double, double)>& f) {
    std::vector<double> out(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) out[i] = f(a[i], b[i]);
    return out;
}

TEST(DualEma, MatchesLionsTwoAverages) {
    const auto gradient_scale = scalar(0.37), b1 = scalar(0.9), b2 = scalar(0.99);
    const reference::DualEma rule{b1.as_double()[0], b2.as_double()[0]};
    const List g("g"), m("m");
    std::vector<double> m_expected = m.as_double();
    std::vector<double> u_expected = g.as_double();
    for (std::size_t i = 0; i < u_expected.size(); ++i)
        u_expected[i] = 1.5 * rule(m_expected[i], gradient_scale.as_double()[0] * u_expected[i]);

    for (const bool in_place : {false, true}) {
        const auto got = on_all_backends([&](Device device) {
            List gradient = g, average = m, u = List::blank();
            List& out = in_place ? gradient : u;
            run(device, DualEma{.u = out.tensors(),
                                .m = average.tensors(),
                                .g = gradient.tensors(),
                                .gradient_scale = gradient_scale,
                                .b1 = b1,
                                .b2 = b2,
                                .gain = 1.5f});
            return Outputs{out.values(), average.values()};
        });
        // Roundings: of G, of both products, of their sum, and for u of the gain.
        expect_close("u", got[0], u_expected, {1.5 * 4 * kF32 * kLargest, kF32});
        expect_close("m", got[1], m_expected, {4 * kF32 * kLargest, 0});
    }
}

TEST(MaskedEma, MovesOnlyWhereTheGradientIsNotZero) {
    const auto gradient_scale = scalar(0.37), beta = scalar(0.9), closed = scalar(0);
    const List g = List("g").map([](double v) { return v < 0.3 ? 0 : v; }), m("m");
    const std::vector<double> gradients = g.as_double();
    std::vector<double> expected = m.as_double();
    for (std::size_t i = 0; i < expected.size(); ++i)
        if (gradients[i] != 0)
            expected[i] = beta.as_double()[0] * expected[i] +
                          (1 - beta.as_double()[0]) * gradient_scale.as_double()[0] * gradients[i];
    for (const bool in_place : {false, true}) {
        const auto got = on_all_backends([&](Device device) {
            List gradient = g, average = m, u = List::blank();
            List& out = in_place ? gradient : u;
            MaskedEma op{.u = out.tensors(),
                         .m = average.tensors(),
                         .g = gradient.tensors(),
                         .gradient_scale = gradient_scale,
                         .beta = beta,
                         .gate = closed};
            run(device, op);
            EXPECT_TRUE(same_bytes(average.values(), m.values()));
            op.gate = {};
            run(device, op);
            return Outputs{out.values(), average.values()};
        });
        // Roundings: of G, of both products and of their sum; and of nothing where the gradient is zero.
        expect_close("m", got[1], expected, {4 * kF32 * kLargest, 0});
        EXPECT_TRUE(same_bytes(got[0], got[1]));
        const std::vector<float> before = m.values();
        for (std::size_t i = 0; i < before.size(); ++i)
            if (gradients[i] == 0) {
                ASSERT_EQ(got[1][i], before[i]) << i;
            }
    }
}

TEST(DualEma, WithoutMomentumScales) {
    const auto gradient_scale = scalar(0.37);
    const List g("g");
    const auto got = on_all_backends([&](Device device) {
        List u = List::blank(), gradient = g;
        run(device, DualEma{.u = u.tensors(),
                            .m = {},
                            .g = gradient.tensors(),
                            .gradient_scale = gradient_scale,
                            .b1 = {},
                            .b2 = {},
                            .gain = 0.3f});
        return Outputs{u.values()};
    });
    const double factor = double(0.3f) * gradient_scale.as_double()[0];
    expect_close("u", got[0], g.map([&](double v) { return v; }).as_double(), {INFINITY, 0});
    std::vector<double> expected = g.as_double();
    for (double& v : expected) v *= factor;
    expect_close("u", got[0], expected, {0, 2.001 * kF32});
}

TEST(AdamEstimate, MatchesKingmaAndBaFromTheFirstStep) {
    constexpr int kSteps = 4;
    const auto gradient_scale = scalar(0.5), b1 = scalar(0.9), b2 = scalar(0.95);
    constexpr float kEpsilon = 1e-3f;  // large enough to show
    std::vector<List> gradients;
    for (int t = 1; t <= kSteps; ++t) gradients.emplace_back(std::string("step").append(std::to_string(t)));

    std::vector<double> m(gradients[0].as_double().size()), v(m.size()), u(m.size());
    for (int t = 1; t <= kSteps; ++t) {
        const reference::Adam rule{b1.as_double()[0], b2.as_double()[0], double(kEpsilon), t};
        const auto g = gradients[static_cast<std::size_t>(t - 1)].as_double();
        for (std::size_t i = 0; i < g.size(); ++i) u[i] = rule(m[i], v[i], 0.5 * g[i]);
    }

    for (const bool in_place : {false, true}) {
        const auto got = on_all_backends([&](Device device) {
            List first = gradients[0].map([](double) { return 0; }), second = first;
            std::vector<float> last;
            for (int t = 1; t <= kSteps; ++t) {
                List g = gradients[static_cast<std::size_t>(t - 1)], other = List::blank();
                List& out = in_place ? g : other;
                const auto m_correction = scalar(1 / (1 - std::pow(b1.as_double()[0], t))),
                           v_correction = scalar(1 / (1 - std::pow(b2.as_double()[0], t)));
                run(device, AdamEstimate{.u = out.tensors(),
                                         .m = first.tensors(),
                                         .v = second.tensors(),
                                         .g = g.tensors(),
                                         .gradient_scale = gradient_scale,
                                         .b1 = b1,
                                         .b2 = b2,
                                         .m_correction = m_correction,
                                         .v_correction = v_correction,
                                         .epsilon = kEpsilon});
                last = out.values();
            }
            return Outputs{last, first.values(), second.values()};
        });
        // m: four roundings a step of terms no larger than the largest G. v: the same, of positive terms, so relative.
        const double m_error = 4 * kSteps * kF32 * 0.5 * kLargest;
        expect_close("m", got[1], m, {m_error, 0});
        expect_close("v", got[2], v, {0, 5 * kSteps * kF32});
        // u: m's error over the smallest denominator, and the roundings of the last line. |u| <= 1 / sqrt(1 - b2) / ...
        // is bounded by m / sqrt(v), and m's error is a fraction of m's own terms, each of which is in v:
        // |sum of terms of m| <= sqrt(kSteps) * sqrt(v_hat) * max weight ratio, under 2 here.
        expect_close("u", got[0], u, {2 * std::sqrt(double{kSteps}) * 4 * kSteps * kF32, (2.5 * kSteps + 6) * kF32});
    }
}

TEST(AdamEstimate, WithoutAverageIsThatOfB1Zero) {
    const auto scale = scalar(0.5), zero = scalar(0), b2 = scalar(0.95), one = scalar(1), correction = scalar(20);
    const List g("g"), v = List("v").map([](double x) { return x * x; });
    const auto got = on_all_backends([&](Device device) {
        List u = g, second = v, other = g, m("m"), other_second = v;
        run(device, AdamEstimate{.u = u.tensors(),
                                 .m = {},
                                 .v = second.tensors(),
                                 .g = u.tensors(),
                                 .gradient_scale = scale,
                                 .b1 = {},
                                 .b2 = b2,
                                 .m_correction = {},
                                 .v_correction = correction,
                                 .epsilon = 1e-3f});
        run(device, AdamEstimate{.u = other.tensors(),
                                 .m = m.tensors(),
                                 .v = other_second.tensors(),
                                 .g = other.tensors(),
                                 .gradient_scale = scale,
                                 .b1 = zero,
                                 .b2 = b2,
                                 .m_correction = one,
                                 .v_correction = correction,
                                 .epsilon = 1e-3f});
        EXPECT_EQ(u.as_double(), other.as_double());  // but for the sign of a zero
        EXPECT_TRUE(same_bytes(second.values(), other_second.values()));
        return Outputs{u.values(), second.values()};
    });
    EXPECT_FALSE(got[0].empty());
}

TEST(MvrCorrect, MatchesMarsAndKeepsTheGradient) {
    const double gamma = 0.025, beta = 0.95;
    const auto gradient_scale = scalar(0.7), other_scale = scalar(0.6), strength = scalar(gamma * beta / (1 - beta));
    const List g("g"), other("other");
    const std::vector<double> expected = blended(g.as_double(), other.as_double(), [&](double x, double y) {
        return reference::mvr_correct(gradient_scale.as_double()[0] * x, other_scale.as_double()[0] * y, gamma, beta);
    });
    std::vector<double> kept = g.as_double();
    for (double& v : kept) v *= gradient_scale.as_double()[0];

    for (const bool keep : {false, true})
        for (const bool in_place : {false, true}) {
            const auto got = on_all_backends([&](Device device) {
                List gradient = g, before = other, c = List::blank();
                List& out = in_place ? gradient : c;
                run(device, MvrCorrect{.c = out.tensors(),
                                       .other = before.tensors(),
                                       .g = gradient.tensors(),
                                       .gradient_scale = gradient_scale,
                                       .other_scale = other_scale,
                                       .strength = strength,
                                       .keep_gradient = keep});
                return Outputs{out.values(), before.values()};
            });
            // Roundings: G, H, the difference, strength (times 0.475), the sum; the difference may be twice as large.
            expect_close("c", got[0], expected, {6 * kF32 * kLargest, kF32});
            if (keep)
                expect_close("other", got[1], kept, {0, 1.001 * kF32});
            else
                EXPECT_TRUE(same_bytes(got[1], other.values()));
        }
}

TEST(ClippedEma, ClipsEachTensorByItsOwnNorm) {
    const auto beta = scalar(0.9);
    const double b = beta.as_double()[0];
    const List c("c"), m("m");
    for (const float max_norm : {0.0f, 6.0f}) {
        std::vector<double> sums, u_expected, m_expected;
        for (std::size_t t = 0; t < c.size(); ++t) {
            const auto ct = c[t], mt = m[t];
            sums.push_back(reference::sum_of_squares(ct));
            for (std::size_t i = 0; i < ct.size(); ++i) {
                m_expected.push_back(b * mt[i] + (1 - b) * reference::clipped(ct[i], std::sqrt(sums[t]), max_norm));
                u_expected.push_back(2 * m_expected.back());
            }
        }
        const Guarded<float> device_sums(Shape{static_cast<std::int64_t>(sums.size())}, sums);
        for (const bool in_place : {false, true}) {
            const auto got = on_all_backends([&](Device device) {
                List input = c, average = m, u = List::blank();
                List& out = in_place ? input : u;
                run(device, ClippedEma{.u = out.tensors(),
                                       .m = average.tensors(),
                                       .c = input.tensors(),
                                       .sums = max_norm > 0 ? ConstTensor(device_sums) : ConstTensor{},
                                       .beta = beta,
                                       .max_norm = max_norm,
                                       .gain = 2});
                return Outputs{out.values(), average.values()};
            });
            // The factor: root of a rounded sum, quotient, reciprocal; then as DualEma.
            expect_close("u", got[0], u_expected, {2 * 6 * kF32 * kLargest, kF32});
            expect_close("m", got[1], m_expected, {6 * kF32 * kLargest, 0});
        }
    }
}

// Without clipping, an exponential average is the same function, to the last bit.
TEST(ClippedEma, IsDualEmaWithOneRateIfNothingClips) {
    const auto beta = scalar(0.95), one = scalar(1);
    const List g("g"), m("m");
    List g1 = g, m1 = m;
    List g2 = g, m2 = m;
    run(the_device(), ClippedEma{.u = g1.tensors(), .m = m1.tensors(), .c = g1.tensors(), .beta = beta, .max_norm = 0});
    run(the_device(),
        DualEma{
            .u = g2.tensors(), .m = m2.tensors(), .g = g2.tensors(), .gradient_scale = one, .b1 = beta, .b2 = beta});
    EXPECT_TRUE(same_bytes(g1.values(), g2.values()));
    EXPECT_TRUE(same_bytes(m1.values(), m2.values()));
}

TEST(Sign, AndItsDualNorm) {
    const List x = List("x").map([](double v) { return std::abs(v) < 0.05 ? (v < 0 ? -0.0 : 0.0) : v; });
    std::vector<double> expected = x.as_double(), duals;
    for (double& v : expected) v = reference::sign(v);
    for (std::size_t t = 0; t < x.size(); ++t) duals.push_back(reference::sum_of_magnitudes(x[t]));
    const auto got = on_all_backends([&](Device device) {
        List y = x, z = x;
        Guarded<float> dual(Shape{static_cast<std::int64_t>(x.size())});
        run(device, Sign{.x = y.tensors(), .dual = dual});
        run(device, Sign{.x = z.tensors()});
        EXPECT_TRUE(same_bytes(y.values(), z.values()));
        EXPECT_TRUE(dual.guards_intact());
        return Outputs{y.values(), dual.values()};
    });
    expect_close("sign", got[0], expected, {0, 0});
    expect_close("dual", got[1], duals, {0, 1.001 * kF32});
}

TEST(Normalize, ByOneNormOrOneATensor) {
    const List x("x");
    std::vector<double> sums, each, all;
    for (std::size_t t = 0; t < x.size(); ++t) sums.push_back(reference::sum_of_squares(x[t]));
    double total = 0;
    for (const double s : sums) total += s;
    for (std::size_t t = 0; t < x.size(); ++t)
        for (const double v : x[t]) each.push_back(v / std::sqrt(sums[t])), all.push_back(v / std::sqrt(total));
    const Guarded<float> many(Shape{static_cast<std::int64_t>(sums.size())}, sums);
    const auto one = scalar(total);
    const auto got = on_all_backends([&](Device device) {
        List y = x, z = x;
        run(device, Normalize{.x = y.tensors(), .sums = many});
        run(device, Normalize{.x = z.tensors(), .sums = one});
        return Outputs{y.values(), z.values()};
    });
    // The sum (halved by the root), the root, the quotient, the product.
    expect_close("each", got[0], each, {0, 3.6 * kF32});
    expect_close("all", got[1], all, {0, 3.6 * kF32});
}

TEST(Normalize, ToTargetsAndOnlyWhatIsLong) {
    const List x("x");
    std::vector<double> sums, targets, to_target, cut;
    for (std::size_t t = 0; t < x.size(); ++t)
        sums.push_back(static_cast<float>(reference::sum_of_squares(x[t]))),
            targets.push_back(static_cast<float>(t + 2));
    const double limit = 6;  // some are longer
    for (std::size_t t = 0; t < x.size(); ++t)
        for (const double v : x[t]) {
            to_target.push_back(v * std::sqrt(targets[t] / sums[t]));
            cut.push_back(reference::clipped(v, std::sqrt(sums[t]), limit));
        }
    const Guarded<float> device_sums(Shape{static_cast<std::int64_t>(sums.size())}, sums),
        device_targets(Shape{static_cast<std::int64_t>(sums.size())}, targets);
    const auto got = on_all_backends([&](Device device) {
        List y = x, z = x;
        run(device, Normalize{.x = y.tensors(), .sums = device_sums, .targets = device_targets});
        run(device, Normalize{.x = z.tensors(), .sums = device_sums, .max_norm = 6});
        return Outputs{y.values(), z.values()};
    });
    // Two roots, quotients, the product.
    expect_close("to target", got[0], to_target, {0, 5 * kF32});
    expect_close("cut", got[1], cut, {0, 5 * kF32});
}

// Lengths of single tensors, the cut of all, and copies that only some have.
TEST(WeightUpdate, TakesLengthsFromTheDevice) {
    const auto rate = scalar(0.5), decay = scalar(0), cut = scalar(0.25);
    const List w("w"), direction("direction");
    const std::vector<double> lengths = {1, 2, 3, 4, 0.5, 8};
    const Guarded<float> device_lengths(Shape{6}, lengths);
    std::vector<double> expected;
    for (std::size_t t = 0; t < w.size(); ++t) {
        const auto part =
            blended(w[t], direction[t], [&](double x, double d) { return x - 0.5 * 0.25 * lengths[t] * d; });
        expected.insert(expected.end(), part.begin(), part.end());
    }
    const auto got = on_all_backends([&](Device device) {
        List weights = w, d = direction;
        Guarded<bf16> copy(Shape{kSizes[3]});
        TensorList copies(w.size());
        copies[3] = copy;
        run(device, WeightUpdate{.weights = weights.tensors(),
                                 .copies = copies,
                                 .directions = d.tensors(),
                                 .factors = std::vector<float>(w.size(), 1),
                                 .learning_rate = rate,
                                 .weight_decay = decay,
                                 .lengths = device_lengths,
                                 .cut = cut});
        const auto master = weights[3];
        for (std::size_t i = 0; i < master.size(); ++i)
            EXPECT_EQ(float(copy.values()[i]), float(bf16(float(master[i]))));
        return Outputs{weights.values()};
    });
    expect_close("w", got[0], expected, {3 * kF32 * kLargest, 0});
}

TEST(Normalize, AZeroTensorStaysZero) {
    Guarded<float> x(Shape{33}, std::vector<double>(33, 0.0));
    const auto sum = scalar(0);
    run(the_device(), Normalize{.x = {x}, .sums = sum});
    for (const float v : x.values()) EXPECT_EQ(v, 0);
}

TEST(WeightUpdate, DecaysStepsAndRoundsTheCopies) {
    const auto learning_rate = scalar(0.02), weight_decay = scalar(0.3);
    const List w("w"), direction("direction");
    const std::vector<float> factors = {1, 0.5f, 9, 2, 0.3f, 0};
    std::vector<double> expected;
    for (std::size_t t = 0; t < w.size(); ++t) {
        const auto part = blended(w[t], direction[t], [&](double x, double d) {
            return reference::decoupled_update(x, factors[t] * d, learning_rate.as_double()[0],
                                               weight_decay.as_double()[0]);
        });
        expected.insert(expected.end(), part.begin(), part.end());
    }
    const auto got = on_all_backends([&](Device device) {
        List weights = w, d = direction, same = List::blank();
        List without = w;
        std::deque<Guarded<bf16>> small;
        TensorList copies;  // by turns f32 and bf16
        for (std::size_t t = 0; t < kSizes.size(); ++t) {
            small.emplace_back(Shape{kSizes[t]});
            copies.push_back(t % 2 ? same.tensors()[t] : small.back().tensor());
        }
        run(device, WeightUpdate{.weights = weights.tensors(),
                                 .copies = copies,
                                 .directions = d.tensors(),
                                 .factors = factors,
                                 .learning_rate = learning_rate,
                                 .weight_decay = weight_decay});
        run(device, WeightUpdate{.weights = without.tensors(),
                                 .copies = {},
                                 .directions = d.tensors(),
                                 .factors = factors,
                                 .learning_rate = learning_rate,
                                 .weight_decay = weight_decay});
        EXPECT_TRUE(same_bytes(weights.values(), without.values()));
        for (std::size_t t = 0; t < kSizes.size(); ++t) {
            const auto master = weights[t];
            EXPECT_TRUE(small[t].guards_intact());
            for (std::size_t i = 0; i < master.size(); ++i) {
                const float stored =
                    t % 2 ? static_cast<float>(same.tensors()[t].as<float>()[i]) : float(small[t].data()[i]);
                const float wanted = t % 2 ? float(master[i]) : float(bf16(float(master[i])));
                if (stored != wanted) {
                    ADD_FAILURE() << "copy " << t << "[" << i << "] is " << stored << ", not " << wanted;
                    break;
                }
            }
        }
        return Outputs{weights.values()};
    });
    // The two factors, two products and their sum; lr * factor <= 0.18.
    expect_close("w", got[0], expected, {3 * kF32 * kLargest * 1.18, 0});
}

TEST(Copy, ConvertsEveryPair) {
    List from("from");
    std::vector<double> rounded = from.as_double();
    for (double& v : rounded) v = float(bf16(static_cast<float>(v)));
    const auto got = on_all_backends([&](Device device) {
        std::deque<Guarded<bf16>> a, b;
        TensorList small, smaller;
        for (const std::int64_t n : kSizes)
            small.push_back(a.emplace_back(Shape{n})), smaller.push_back(b.emplace_back(Shape{n}));
        List back = List::blank(), same = List::blank();
        run(device, Copy{.to = small, .from = from.tensors()});
        run(device, Copy{.to = smaller, .from = small});
        run(device, Copy{.to = back.tensors(), .from = smaller});
        run(device, Copy{.to = same.tensors(), .from = from.tensors()});
        for (const auto& t : a) EXPECT_TRUE(t.guards_intact());
        return Outputs{back.values(), same.values()};
    });
    expect_close("through bf16", got[0], rounded, {0, 0});
    EXPECT_TRUE(same_bytes(got[1], from.values()));
}

}  // namespace
}  // namespace steepest
