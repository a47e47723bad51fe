// Updates between a fast point and its average, against Defazio et al.'s three sequences kept apart.
#include "ops/averaging.h"
#include "tests/close.h"
#include "tests/ops/list.h"

#include <cmath>

namespace steepest {
namespace {

using namespace testing;

constexpr double kLargest = 5;  // of standard normal values, 70,000 of them

// x, y and z with y between the others, as lists: mix 0.75.
struct Points {
    List x{"x"}, z{"z"};
    List y() const {
        List out = x;
        for (std::size_t t = 0; t < out.size(); ++t) {
            const auto a = x[t], b = z[t];
            const Tensor to = out.tensors()[t];
            for (std::size_t i = 0; i < a.size(); ++i)
                to.as<float>()[i] = static_cast<float>(0.75 * a[i] + 0.25 * b[i]);
        }
        return out;
    }
};

TEST(AveragedUpdate, IsThreeSequencesInTwo) {
    const auto rate = scalar(0.1), decay = scalar(0.5), mix = scalar(0.75), next_mix = scalar(0.875),
               share = scalar(0.25);
    const std::vector<float> factors = {1, 0.5f, 2, 3, 0.25f, 1};
    const Points points;
    const List start = points.y(), direction("direction");
    for (const bool decay_fast : {false, true}) {
        std::vector<double> y_expected, z_expected;
        for (std::size_t t = 0; t < start.size(); ++t) {
            const auto y = start[t], z = points.z[t], d = direction[t];
            for (std::size_t i = 0; i < y.size(); ++i) {
                const double x = (y[i] - 0.25 * z[i]) / 0.75, eta = rate.as_double()[0];
                const double moved = z[i] - eta * 0.5 * (decay_fast ? z[i] : y[i]) - eta * factors[t] * d[i];
                z_expected.push_back(moved);
                y_expected.push_back(0.125 * moved + 0.875 * (0.75 * x + 0.25 * moved));
            }
        }
        const auto got = on_all_backends([&](Device device) {
            List y = start, z = points.z, d = direction;
            Guarded<bf16> copy(Shape{kSizes[3]});
            TensorList copies(y.size());
            copies[3] = copy;
            run(device, AveragedUpdate{.weights = y.tensors(),
                                       .fast = z.tensors(),
                                       .copies = copies,
                                       .directions = d.tensors(),
                                       .factors = factors,
                                       .learning_rate = rate,
                                       .weight_decay = decay,
                                       .mix = mix,
                                       .next_mix = next_mix,
                                       .share = share,
                                       .decay_fast = decay_fast});
            const auto master = y[3];
            for (std::size_t i = 0; i < master.size(); ++i)
                EXPECT_EQ(float(copy.values()[i]), float(bf16(float(master[i]))));
            return Outputs{y.values(), z.values()};
        });
        // z: two products and their differences. y: those, and x's product, difference and quotient, and three more.
        expect_close("z", got[1], z_expected, {4 * kF32 * 1.4 * kLargest, 0});
        expect_close("y", got[0], y_expected, {10 * kF32 * 1.4 * kLargest, 0});
    }
}

TEST(AveragedUpdate, DoesNothingBehindAClosedGate) {
    const auto one = scalar(1), closed = scalar(0);
    const Points points;
    List y = points.y(), z = points.z, d("direction");
    run(the_device(), AveragedUpdate{.weights = y.tensors(),
                                     .fast = z.tensors(),
                                     .copies = {},
                                     .directions = d.tensors(),
                                     .factors = std::vector<float>(y.size(), 1),
                                     .learning_rate = one,
                                     .weight_decay = one,
                                     .mix = one,
                                     .next_mix = one,
                                     .share = one,
                                     .decay_fast = false,
                                     .gate = closed});
    EXPECT_TRUE(same_bytes(y.values(), points.y().values()));
    EXPECT_TRUE(same_bytes(z.values(), points.z.values()));
}

TEST(AveragePoint, FindsTheAverageAgain) {
    const auto mix = scalar(0.75);
    const Points points;
    const auto got = on_all_backends([&](Device device) {
        List y = points.y(), z = points.z, x = List::blank();
        Guarded<bf16> small(Shape{kSizes[3]});
        TensorList to = x.tensors();
        to[3] = small;
        run(device, AveragePoint{.to = to, .y = y.tensors(), .z = z.tensors(), .mix = mix});
        List exact = List::blank();
        run(device, AveragePoint{.to = exact.tensors(), .y = y.tensors(), .z = z.tensors(), .mix = mix});
        for (std::int64_t i = 0; i < kSizes[3]; ++i)
            EXPECT_EQ(float(small.values()[static_cast<std::size_t>(i)]),
                      float(bf16(float(exact[3][static_cast<std::size_t>(i)]))));
        return Outputs{exact.values()};
    });
    expect_close("x", got[0], points.x.as_double(), {4 * kF32 * kLargest / 0.75, 0});
}

}  // namespace
}  // namespace steepest
