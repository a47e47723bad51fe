// What the elementwise stages share: closed gates, empty lists, slices at any address.
#include "ops/elementwise.h"
#include "tests/close.h"
#include "tests/ops/list.h"

namespace steepest {
namespace {

using namespace testing;

// Pieces of one array at addresses that no vector instruction likes, as slices of a weight are.
TEST(Elementwise, WorksOnSlices) {
    Guarded<float> w(Shape{100, 7}, normal(700, "w")), d(Shape{100, 7}, normal(700, "d"));
    const std::vector<double> before = w.as_double(), direction = d.as_double();
    const auto learning_rate = scalar(0.5), weight_decay = scalar(0);
    run(the_device(), WeightUpdate{.weights = {w.tensor().rows(1, 33), w.tensor().rows(40, 59)},
                                   .copies = {},
                                   .directions = {d.tensor().rows(1, 33), d.tensor().rows(40, 59)},
                                   .factors = {1, 2},
                                   .learning_rate = learning_rate,
                                   .weight_decay = weight_decay});
    const auto after = w.as_double();
    for (std::size_t i = 0; i < 700; ++i) {
        const std::size_t row = i / 7;
        const double step = row >= 1 && row < 34 ? 0.5 : row >= 40 && row < 99 ? 1 : 0;
        EXPECT_NEAR(after[i], before[i] - step * direction[i], 2 * kF32 * 2 * 5) << row;
    }
    EXPECT_TRUE(w.guards_intact());
}

// A closed gate: no byte changes, not even in outputs that were never written. An open one changes nothing else.
TEST(Elementwise, AClosedGateWritesNothing) {
    const auto zero = scalar(0), one = scalar(1), half = scalar(0.5);
    for (const bool open : {false, true}) {
        const ConstTensor gate = open ? ConstTensor(one) : ConstTensor(zero);
        const auto check = [&](const char* op, List& a, List& b, List& c, const std::function<void()>& go) {
            const auto a0 = a.values(), b0 = b.values(), c0 = c.values();
            go();
            const bool unchanged =
                same_bytes(a.values(), a0) && same_bytes(b.values(), b0) && same_bytes(c.values(), c0);
            EXPECT_EQ(unchanged, !open) << op;
        };
        List u = List::blank(), m("m"), v = List("v").map([](double x) { return x * x; }), g("g");
        check("DualEma", u, m, g, [&] {
            run(the_device(), DualEma{.u = u.tensors(),
                                      .m = m.tensors(),
                                      .g = g.tensors(),
                                      .gradient_scale = half,
                                      .b1 = half,
                                      .b2 = half,
                                      .gate = gate});
        });
        check("DualEma without m", u, m, g, [&] {
            run(the_device(), DualEma{.u = u.tensors(),
                                      .m = {},
                                      .g = g.tensors(),
                                      .gradient_scale = half,
                                      .b1 = {},
                                      .b2 = {},
                                      .gate = gate});
        });
        check("AdamEstimate", u, m, v, [&] {
            run(the_device(), AdamEstimate{.u = u.tensors(),
                                           .m = m.tensors(),
                                           .v = v.tensors(),
                                           .g = g.tensors(),
                                           .gradient_scale = half,
                                           .b1 = half,
                                           .b2 = half,
                                           .m_correction = one,
                                           .v_correction = one,
                                           .gate = gate,
                                           .epsilon = 1e-8f});
        });
        check("MvrCorrect", u, m, g, [&] {
            run(the_device(), MvrCorrect{.c = u.tensors(),
                                         .other = m.tensors(),
                                         .g = g.tensors(),
                                         .gradient_scale = half,
                                         .other_scale = one,
                                         .strength = one,
                                         .gate = gate,
                                         .keep_gradient = true});
        });
        check("ClippedEma", u, m, g, [&] {
            run(the_device(),
                ClippedEma{
                    .u = u.tensors(), .m = m.tensors(), .c = g.tensors(), .beta = half, .gate = gate, .max_norm = 0});
        });
        check("WeightUpdate", u, m, g, [&] {
            run(the_device(), WeightUpdate{.weights = m.tensors(),
                                           .copies = u.tensors(),
                                           .directions = g.tensors(),
                                           .factors = std::vector<float>(kSizes.size(), 1),
                                           .learning_rate = half,
                                           .weight_decay = zero,
                                           .gate = gate});
        });
        check("AddScaled", m, g, g,
              [&] { run(the_device(), AddScaled{.x = m.tensors(), .y = g.tensors(), .gate = gate}); });
        check("Copy", u, m, g, [&] { run(the_device(), Copy{.to = u.tensors(), .from = g.tensors(), .gate = gate}); });
    }
}

TEST(Elementwise, AnEmptyListIsNothing) {
    const auto one = scalar(1);
    run(the_device(), DualEma{.u = {}, .m = {}, .g = {}, .gradient_scale = one, .b1 = {}, .b2 = {}});
    run(the_device(), Sign{.x = {}});
    run(the_device(), Normalize{.x = {}, .sums = one});
    run(the_device(),
        WeightUpdate{
            .weights = {}, .copies = {}, .directions = {}, .factors = {}, .learning_rate = one, .weight_decay = one});
    run(the_device(), Copy{.to = {}, .from = {}});
    run(the_device(), AddScaled{.x = {}, .y = {}});
}

// Two products and a sum are three roundings; inputs are below 5.
TEST(Elementwise, AddScaledTakesAFactorATensor) {
    Guarded<float> factors(Shape{static_cast<std::int64_t>(kSizes.size())},
                           normal(static_cast<std::int64_t>(kSizes.size()), "factors"));
    const List x("x"), y("y");
    for (const float a : {0.0f, -0.75f})
        for (const bool with : {false, true}) {
            const auto got = on_all_backends([&](Device device) {
                List out = a == 0 ? List::blank() : x, from = y;
                run(device, AddScaled{.x = out.tensors(),
                                      .y = from.tensors(),
                                      .a = a,
                                      .b = 1.5f,
                                      .factors = with ? ConstTensor(factors) : ConstTensor()});
                return Outputs{out.values()};
            });
            std::vector<double> expected;
            for (std::size_t t = 0; t < kSizes.size(); ++t) {
                const auto before = x[t], added = y[t];
                const double factor = 1.5 * (with ? factors.as_double()[t] : 1);
                for (std::size_t i = 0; i < before.size(); ++i)
                    expected.push_back(double(a) * before[i] + factor * added[i]);
            }
            expect_close("x", got[0], expected, {4 * kF32 * 5 * 5, 0});
        }
}

}  // namespace
}  // namespace steepest
