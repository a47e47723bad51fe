#pragma once
// The learning rate over a run: a factor of every group's rate, a pure function of the step.
#include "core/field.h"

#include <cstdint>

namespace steepest {

struct ScheduleConfig {
    std::string type = "cosine";
    std::int64_t warmup_steps = 0;
    double final_fraction = 0.1;
    double decay_fraction = 0.2;
    std::string decay_shape = "1-sqrt";
    double power = 0.75;
    double peak_fraction = 0.3;
    double start_divisor = 25;
    double final_divisor = 1e4;

    void fields(auto& f) {
        f("type", type,
          "constant; linear or cosine decay over the whole run; wsd: warm-up, stable, decay at the end; "
          "one_cycle: cosine up, then cosine down to almost nothing; inverse_power: step^-power",
          OneOf{"constant", "linear", "cosine", "wsd", "one_cycle", "inverse_power"});
        f("warmup_steps", warmup_steps, "steps of linear growth to the peak; not for one_cycle",
          Range<std::int64_t>{.low = 0});
        f("final_fraction", final_fraction, "of the peak, reached at the last step: linear, cosine, wsd",
          Range<double>{0, 1});
        f("decay_fraction", decay_fraction, "wsd: the part of all steps that decay, at the end", Range<double>{0, 1});
        f("decay_shape", decay_shape,
          "wsd: the decay over its own part p of steps: linear is 1 - p, 1-sqrt is 1 - sqrt(p)",
          OneOf{"linear", "1-sqrt"});
        f("power", power, "inverse_power: the exponent a of (step / max(1, warmup_steps))^-a", Range<double>{0, 10});
        f("peak_fraction", peak_fraction, "one_cycle: the part of all steps after which the peak is reached",
          Range<double>{0, 1});
        f("start_divisor", start_divisor, "one_cycle: peak / first step's factor", Range<double>{.low = 1});
        f("final_divisor", final_divisor, "one_cycle: first / last step's factor", Range<double>{.low = 1});
    }
    void check(auto&& error) const {
        if (type == "one_cycle" && warmup_steps > 0)
            error("/warmup_steps",
                  "one_cycle warms up by itself (peak_fraction); expected 0, found " + std::to_string(warmup_steps));
    }
};

// The factor of step 1 <= step <= total_steps. With W = max(1, warmup_steps), T = total_steps:
//
//   step <= W           step / W: the first step has 1 / W, step W has 1. Without warm-up the first step has 1.
//   constant            1
//   linear, cosine      from 1 at step W to final_fraction at step T: 1 - (1 - final_fraction) p with p the part of the
//                       way, or p = (1 - cos(pi way)) / 2
//   wsd                 1 until the last round(decay_fraction T) steps, over which it falls to final_fraction at step T
//   inverse_power       (step / W)^-power: without warm-up, step^-power; it needs no T and has no final fraction
//   one_cycle           torch's OneCycleLR with cosine annealing: 1 / start_divisor at step 1, 1 at step
//                       peak_fraction T, 1 / (start_divisor final_divisor) at step T
//
// Hägele et al. 2024, arXiv:2405.18392 (wsd, 1-sqrt); Smith, Topin 2017, arXiv:1708.07120 (one_cycle).
double schedule_factor(const ScheduleConfig& schedule, std::int64_t step, std::int64_t total_steps);

}  // namespace steepest
