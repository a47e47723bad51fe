#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace steepest {

namespace {

double cosine_between(double from, double to, double way) {
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * way));
}

double one_cycle(const ScheduleConfig& s, double step, double total) {
    // Steps of torch count from 0. A peak before the first step, or a run of one step, leaves only the way down.
    const double at = step - 1, peak = s.peak_fraction * total - 1, end = total - 1;
    const double start = 1 / s.start_divisor;
    if (at <= peak) return peak > 0 ? cosine_between(start, 1, at / peak) : 1;
    const double from = std::max(peak, 0.0);
    return end > from ? cosine_between(1, start / s.final_divisor, (at - from) / (end - from)) : 1;
}

double wsd(const ScheduleConfig& s, std::int64_t step, std::int64_t warm, std::int64_t total) {
    const auto decay =
        std::min<std::int64_t>(std::llround(s.decay_fraction * static_cast<double>(total)), total - warm);
    const std::int64_t into = step - (total - decay);
    if (into <= 0) return 1;
    const double part = static_cast<double>(into) / static_cast<double>(decay);
    return 1 - (1 - s.final_fraction) * (s.decay_shape == "linear" ? part : std::sqrt(part));
}

}  // namespace

double schedule_factor(const ScheduleConfig& s, std::int64_t step, std::int64_t total_steps) {
    const auto t = static_cast<double>(step), T = static_cast<double>(total_steps);
    if (s.type == "one_cycle") return one_cycle(s, t, T);

    const std::int64_t warm = std::max<std::int64_t>(1, s.warmup_steps);
    const auto W = static_cast<double>(warm);
    if (step <= warm) return t / W;
    if (s.type == "inverse_power") return std::pow(t / W, -s.power);
    if (s.type == "wsd") return wsd(s, step, warm, total_steps);
    const double way = (t - W) / (T - W);
    if (s.type == "linear") return 1 - (1 - s.final_fraction) * way;
    if (s.type == "cosine") return cosine_between(1, s.final_fraction, way);
    return 1;
}

}  // namespace steepest
