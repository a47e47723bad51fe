#include "core/config.h"
#include "optim/schedule.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numbers>
#include <vector>

namespace steepest::testing {
namespace {

constexpr double kRounding = 1e-14;

ScheduleConfig schedule(const std::string& json) {
    return read_config<ScheduleConfig>(parse_json(json, "test"), "test");
}

void expect_factors(const std::string& json, std::int64_t total, const std::vector<double>& expected) {
    const ScheduleConfig s = schedule(json);
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(schedule_factor(s, static_cast<std::int64_t>(i) + 1, total), expected[i], kRounding)
            << json << " at step " << i + 1;
}

TEST(Schedule, ConstantWithAndWithoutWarmUp) {
    expect_factors(R"({"type": "constant"})", 3, {1, 1, 1});
    expect_factors(R"({"type": "constant", "warmup_steps": 4})", 6, {0.25, 0.5, 0.75, 1, 1, 1});
}

TEST(Schedule, LinearGoesFromOneToTheFinalFraction) {
    expect_factors(R"({"type": "linear", "final_fraction": 0})", 5, {1, 0.75, 0.5, 0.25, 0});
    expect_factors(R"({"type": "linear", "final_fraction": 0.2, "warmup_steps": 2})", 6, {0.5, 1, 0.8, 0.6, 0.4, 0.2});
}

TEST(Schedule, CosineIsHalfwayDownInTheMiddle) {
    const double quarter = (1 + std::sqrt(0.5)) / 2;
    expect_factors(R"({"type": "cosine", "final_fraction": 0})", 5, {1, quarter, 0.5, 1 - quarter, 0});
    expect_factors(R"({"type": "cosine", "warmup_steps": 2})", 4, {0.5, 1, 0.55, 0.1});
}

TEST(Schedule, WsdDecaysOverTheLastPartOnly) {
    expect_factors(R"({"type": "wsd", "decay_fraction": 0.4, "decay_shape": "linear", "final_fraction": 0})", 10,
                   {1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0});
    expect_factors(R"({"type": "wsd", "decay_fraction": 0.4, "final_fraction": 0.2, "warmup_steps": 2})", 10,
                   {0.5, 1, 1, 1, 1, 1, 1 - 0.8 * 0.5, 1 - 0.8 * std::sqrt(0.5), 1 - 0.8 * std::sqrt(0.75), 0.2});
    expect_factors(R"({"type": "wsd", "decay_fraction": 0})", 3, {1, 1, 1});
}

TEST(Schedule, InversePowerIsThePowerOfTheStep) {
    expect_factors(R"({"type": "inverse_power", "power": 0.5})", 100, {1, std::sqrt(0.5), std::sqrt(1 / 3.0), 0.5});
    expect_factors(R"({"type": "inverse_power", "power": 1, "warmup_steps": 2})", 100, {0.5, 1, 2 / 3.0, 0.5});
}

// torch/optim/lr_scheduler.py, OneCycleLR.__init__ and get_lr with anneal_strategy "cos", two phases, max_lr 1.
double torch_one_cycle(double total_steps, double pct_start, double div_factor, double final_div_factor, int step_num) {
    struct Phase {
        double end_step, start_lr, end_lr;
    };
    const double initial_lr = 1 / div_factor, max_lr = 1, min_lr = initial_lr / final_div_factor;
    const Phase phases[] = {{pct_start * total_steps - 1, initial_lr, max_lr}, {total_steps - 1, max_lr, min_lr}};
    double start_step = 0, computed_lr = 0;
    for (int i = 0; i < 2; ++i) {
        const double end_step = phases[i].end_step;
        if (step_num <= end_step || i == 1) {
            const double pct = (step_num - start_step) / (end_step - start_step);
            const double cos_out = std::cos(std::numbers::pi * pct) + 1;
            computed_lr = phases[i].end_lr + (phases[i].start_lr - phases[i].end_lr) / 2.0 * cos_out;
            break;
        }
        start_step = phases[i].end_step;
    }
    return computed_lr;
}

TEST(Schedule, OneCycleIsTorchs) {
    for (const int total : {10, 37, 100, 1001}) {
        const ScheduleConfig defaults = schedule(R"({"type": "one_cycle"})");
        const ScheduleConfig other =
            schedule(R"({"type": "one_cycle", "peak_fraction": 0.45, "start_divisor": 4, "final_divisor": 50})");
        for (int step = 1; step <= total; ++step) {
            EXPECT_NEAR(schedule_factor(defaults, step, total), torch_one_cycle(total, 0.3, 25, 1e4, step - 1),
                        kRounding);
            EXPECT_NEAR(schedule_factor(other, step, total), torch_one_cycle(total, 0.45, 4, 50, step - 1), kRounding);
        }
        EXPECT_NEAR(schedule_factor(defaults, 1, total), 1 / 25.0, kRounding);
        EXPECT_NEAR(schedule_factor(defaults, total, total), 1 / 25e4, kRounding);
    }
}

TEST(Schedule, ShortRunsStayFiniteAndAtMostOne) {
    for (const char* type : {"constant", "linear", "cosine", "wsd", "one_cycle", "inverse_power"})
        for (const int warmup : {0, 1, 3, 10})
            for (const double fraction : {0.0, 0.01, 0.5, 1.0})
                for (std::int64_t total = 1; total <= 6; ++total)
                    for (std::int64_t step = 1; step <= total; ++step) {
                        ScheduleConfig s;
                        s.type = type, s.decay_fraction = s.peak_fraction = fraction;
                        s.warmup_steps = s.type == "one_cycle" ? 0 : warmup;
                        const double factor = schedule_factor(s, step, total);
                        EXPECT_TRUE(factor >= 0 && factor <= 1)
                            << type << " warm-up " << warmup << " step " << step << " of " << total << ": " << factor;
                    }
}

TEST(Schedule, OneCycleRefusesAWarmUp) {
    try {
        schedule(R"({"type": "one_cycle", "warmup_steps": 5})");
        FAIL();
    } catch (const InputError& e) {
        EXPECT_NE(std::string(e.what()).find(
                      "/warmup_steps: one_cycle warms up by itself (peak_fraction); expected 0, found 5"),
                  std::string::npos)
            << e.what();
    }
}

}  // namespace
}  // namespace steepest::testing
