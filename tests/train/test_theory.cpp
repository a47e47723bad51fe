// What theory says of optimizers, measured with the trainer's own steps on the problems of configs/experiments/theory:
// rates in the horizon, factors in the dimension, and where signs lead.
#include "tests/train/run_fixture.h"

#include <cmath>
#include <deque>

namespace steepest {
namespace {

using Sets = std::vector<std::string>;

RunConfig config_of(const std::string& experiment, const Sets& sets) {
    return load_config<RunConfig>(
        std::string(STEEPEST_SOURCE_DIR) + "/configs/experiments/theory/" + experiment + ".json", sets);
}

// Takes the run's steps; look(step, exact) after each `every`th one, until it says that it has seen enough.
template <class Look>
void follow(const RunConfig& config, std::int64_t every, Look&& look) {
    Cpu cpu(1);
    const auto comm = make_single();
    Stepper stepper(config, *comm);
    stepper.allocate(&cpu);
    stepper.runner().parameters().initialize(config.init_seed());
    TokenStreamHash hash;
    for (std::int64_t step = 1; step <= config.total_steps(); ++step) {
        ASSERT_TRUE(stepper.step(step, hash).ok()) << step;
        if (step % every) continue;
        const Evaluation found = stepper.runner().task().evaluate(stepper.evaluation_weights(step));
        if (look(step, found)) return;
    }
}

double measure(const Evaluation& evaluation, const char* name) { return evaluation.more.at("exact").at(name); }

constexpr const char* kPolar =
    R"(optimizer.groups.all.geometry={"type": "spectral", "coefficients": "polar_express_paper", "steps": 12, "precision": "fp32"})";

std::string number(double x) { return Json(x).dump(); }

// --- Rates: the mean nuclear norm of the true gradient over the last half of T steps.

struct Schedule {
    double rate, rate_power, weight_power;  // learning rate `rate` T^-rate_power, new gradients' weight T^-weight_power
    bool storm;

    double norm(std::int64_t T) const {
        const double t = static_cast<double>(T), beta = 1 - std::pow(t, -weight_power);
        const std::string estimator =
            storm ? R"({"type": "mvr", "source": "previous_weights", "gamma": 1, "clip": 0, "form": "ema", "beta": )" +
                        number(beta) + "}"
                  : R"({"type": "dual_ema", "b1": )" + number(beta) + R"(, "b2": )" + number(beta) + "}";
        double sum = 0;
        int count = 0;
        for (const char* seed : {"1", "2", "3"})
            follow(config_of("matrix-quadratic",
                             {"steps=" + std::to_string(T), std::string("seed=") + seed,
                              "optimizer.groups.all.learning_rate=" + number(rate * std::pow(t, -rate_power)),
                              "optimizer.groups.all.estimator=" + estimator}),
                   10, [&](std::int64_t step, const Evaluation& e) {
                       if (2 * step > T) sum += measure(e, "gradient_nuclear"), ++count;
                       return false;
                   });
        return sum / count;
    }
};

// Averages reach T^-1/4 and STORM T^-1/3 (arXiv:2509.15816); the bounds are those of a double-precision prototype with
// other random curvatures.
TEST(Theory, VarianceReductionHasTheFasterRate) {
    constexpr double kThird = 1.0 / 3;
    const Schedule average{4, 0.75, 0.5, false}, storm{2, 2 * kThird, 2 * kThird, true},
        mixed{2, 2 * kThird, 2 * kThird, false};
    std::vector<double> averages, storms;
    for (const std::int64_t T : {1000, 10000}) {
        averages.push_back(average.norm(T)), storms.push_back(storm.norm(T));
        const double of_mixed = mixed.norm(T);
        RecordProperty("T" + std::to_string(T),
                       number(averages.back()) + " " + number(storms.back()) + " " + number(of_mixed));
        EXPECT_LT(storms.back(), averages.back()) << T;
        EXPECT_GT(of_mixed, averages.back()) << T;
    }
    const double average_slope = std::log10(averages[1] / averages[0]), storm_slope = std::log10(storms[1] / storms[0]);
    EXPECT_GE(average_slope, -0.32);
    EXPECT_LE(average_slope, -0.20);
    EXPECT_GE(storm_slope, -0.45);
    EXPECT_LE(storm_slope, -0.30);
}

// --- Dimensions: steps until the l1 norm of the true gradient, a mean of 20 steps, is a tenth of what it was at first.

struct Race {
    std::string optimizer;
    std::vector<double> rates;
    Sets sets = {};
    std::string measured = "gradient_l1";

    // At the best learning rate, a mean over seeds; infinite where no rate gets there with every seed.
    double steps(std::int64_t d, std::int64_t most) const {
        double best = INFINITY;
        for (const double rate : rates) {
            double sum = 0;
            for (const char* seed : {"1", "2"}) {
                double reached = INFINITY, window = 0;
                std::deque<double> last;
                const double first = static_cast<double>(2 * d - 1);  // (d, 1, ..., 1) of x = (1, ..., 1)
                Sets all = {"steps=" + std::to_string(most), std::string("seed=") + seed,
                            "problem.dimension=" + std::to_string(d), "optimizer.groups.all.geometry=" + optimizer,
                            "optimizer.groups.all.learning_rate=" + number(rate)};
                all.insert(all.end(), sets.begin(), sets.end());
                follow(config_of("sparse-noise", all), 1, [&](std::int64_t step, const Evaluation& e) {
                    last.push_back(measure(e, measured.c_str())), window += last.back();
                    if (last.size() > 20) window -= last.front(), last.pop_front();
                    if (last.size() < 20 || window / 20 > 0.1 * first) return false;
                    reached = static_cast<double>(step);
                    return true;
                });
                sum += reached / 2;
            }
            best = std::min(best, sum);
        }
        return best;
    }
};

std::vector<double> over(std::vector<double> list, double by) {
    for (double& x : list) x /= by;
    return list;
}

// arXiv:2605.06615: with noise and curvature in one coordinate of d, gradients need a factor of d more steps than
// signs.
TEST(Theory, SignsAreFasterByAFactorThatGrowsWithTheDimension) {
    const std::vector<double> rates = {0.02, 0.05};
    double sgd[2], sign[2];
    int i = 0;
    for (const std::int64_t d : {10, 300}) {
        sgd[i] = Race{"identity", over({0.14, 0.2}, static_cast<double>(d))}.steps(d, 20000);
        sign[i] = Race{"sign", rates}.steps(d, 1000);
        RecordProperty("d" + std::to_string(d), number(sgd[i]) + " " + number(sign[i]));
        ++i;
    }
    EXPECT_GT((sgd[1] / sign[1]) / (sgd[0] / sign[0]), 10);
    EXPECT_LT(std::log(sign[1] / sign[0]) / std::log(30), 0.2);
}

// Rotated into a matrix, the instance is to polar factors what the vector is to signs, and to gradients the same.
TEST(Theory, PolarFactorsAreSignsOfARotatedProblem) {
    const Sets rotated = {"problem.rotated=true"};
    const std::string polar = std::string(kPolar).substr(std::string(kPolar).find('=') + 1);
    for (const std::int64_t d : {4, 8}) {
        const double signs = Race{"sign", {0.01, 0.02}}.steps(d, 1000),
                     polars = Race{polar, {0.01, 0.02}, rotated, "gradient_nuclear"}.steps(d, 1000);
        EXPECT_NEAR(polars, signs, 2) << d;
        const std::vector<double> rates = over({0.1}, static_cast<double>(d));
        EXPECT_EQ((Race{"identity", rates, rotated, "gradient_nuclear"}.steps(d, 3000)),
                  (Race{"identity", rates}.steps(d, 3000)))
            << d;
    }
}

// --- The rest: where a rule leads.

// Karimireddy et al. 2019, arXiv:1901.09847: without momentum, signs stay at 3/4 for ever; with the error fed back, or
// with gradients' lengths, the minimum is reached.
TEST(Theory, SignsAndPolarFactorsStayInTheTrap) {
    const auto least = [](const std::string& set, const std::string& steps = "steps=2000") {
        double best = INFINITY;
        follow(config_of("sign-trap", {set, steps}), 1, [&](std::int64_t, const Evaluation& e) {
            best = std::min(best, e.loss);
            return false;
        });
        return best;
    };
    // The weights are f32, and 2,000 steps of at most 0.5 are rounded.
    EXPECT_GE(least("optimizer.groups.all.geometry=sign"), 0.75 - 1e-5);
    EXPECT_GE(least(kPolar), 0.75 - 1e-4);
    // It bounces about the minimum by as much as a step, which is 0.5 / sqrt(20,000) = 0.0035 in the end.
    EXPECT_LT(least("optimizer.groups.all.geometry=error_feedback", "steps=20000"), 1e-2);
    EXPECT_LT(least("optimizer.groups.all.geometry=identity"), 1e-2);
}

// arXiv:2603.26554: one step of Muon stores more than one of gradient descent, whatever their lengths.
TEST(Theory, OneStepOfMuonRecallsMoreThanOneOfGradientDescent) {
    const auto recalled = [](const std::string& set) {
        double found = 0;
        follow(config_of("associative-memory", {set, "problem.items=256", "problem.width=32"}), 1,
               [&](std::int64_t, const Evaluation& e) {
                   found = measure(e, "recalled");
                   return false;
               });
        return found;
    };
    const double sgd = recalled("optimizer.groups.all.geometry=identity"), muon = recalled(kPolar);
    EXPECT_EQ(recalled("optimizer.groups.all.learning_rate=0"), 0);
    EXPECT_GT(sgd, 0);
    EXPECT_GT(muon, 2 * sgd);
}

// arXiv:2605.11838: where noise of rank one has no variance, singular values must be clipped.
TEST(Theory, ClippedSingularValuesStandHeavyTails) {
    const auto median = [](const Sets& more) {
        std::vector<double> last;
        for (const char* seed : {"1", "2", "3"}) {
            Sets sets = {"steps=1000",
                         std::string("seed=") + seed,
                         "problem.noise=0",
                         "problem.curvature_noise=0",
                         "problem.heavy_noise=1",
                         "problem.degrees_of_freedom=1.2",
                         "optimizer.groups.all.estimator=dual_ema",
                         "optimizer.groups.all.geometry=identity",
                         "optimizer.groups.all.learning_rate=0.1"};
            sets.insert(sets.end(), more.begin(), more.end());
            double loss = INFINITY;
            follow(config_of("matrix-quadratic", sets), 1000, [&](std::int64_t, const Evaluation& e) {
                loss = e.loss;
                return true;
            });
            last.push_back(loss);
        }
        std::ranges::sort(last);
        return last[1];
    };
    const double clipped = median({R"(optimizer.groups.all.gradient={"type": "spectral_clip", "threshold": 0.5})"});
    EXPECT_GT(median({}), 20 * clipped);
    // With five degrees of freedom there is a variance, and less to win.
    EXPECT_LT(median({"problem.degrees_of_freedom=5"}), median({}) / 5);
}

}  // namespace
}  // namespace steepest
