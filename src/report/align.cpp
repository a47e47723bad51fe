#include "report/align.h"

#include "core/error.h"
#include "core/suggest.h"

#include <algorithm>
#include <cmath>

namespace steepest::report {

namespace {

struct AxisName {
    Axis axis;
    std::string_view name, label;
};
constexpr AxisName kAxes[] = {{Axis::step, "step", "step"},
                              {Axis::tokens, "tokens", "training tokens"},
                              {Axis::gradients, "gradients", "gradient evaluations"},
                              {Axis::seconds, "seconds", "training time without evaluation (s)"},
                              {Axis::flops, "flops", "floating-point operations"}};

double between(double a, double b, double fraction) { return a + (b - a) * fraction; }

}  // namespace

Axis parse_axis(std::string_view name) {
    for (const AxisName& axis : kAxes)
        if (axis.name == name) return axis.axis;
    std::vector<std::string> names;
    for (const AxisName& axis : kAxes) names.emplace_back(axis.name);
    throw InputError("--by: " + not_one_of(name, names));
}

std::string_view name_of(Axis axis) { return kAxes[static_cast<int>(axis)].name; }
std::string_view label_of(Axis axis) { return kAxes[static_cast<int>(axis)].label; }

double value(const Curve& curve, Axis axis, std::size_t row) {
    switch (axis) {
        case Axis::step:
            return static_cast<double>(curve.step[row]);
        case Axis::tokens:
            return curve.tokens[row];
        case Axis::gradients:
            return curve.gradients[row];
        case Axis::seconds:
            return curve.seconds[row];
        case Axis::flops:
            return curve.flops[row];
    }
    return kUnknown;
}

std::optional<CurvePoint> first_crossing(const Curve& curve, double target) {
    for (std::size_t i = 0; i < curve.size(); ++i) {
        if (!(curve.loss[i] <= target)) continue;
        const std::size_t before = i > 0 && std::isfinite(curve.loss[i - 1]) ? i - 1 : i;
        const double l0 = curve.loss[before], l1 = curve.loss[i];
        const double f = before == i ? 1 : (l0 - target) / (l0 - l1);
        const auto at = [&](const auto& column) {
            return between(static_cast<double>(column[before]), static_cast<double>(column[i]), f);
        };
        return CurvePoint{.step = at(curve.step),
                          .tokens = at(curve.tokens),
                          .gradients = at(curve.gradients),
                          .flops = at(curve.flops),
                          .seconds = at(curve.seconds),
                          .wall = at(curve.wall)};
    }
    return std::nullopt;
}

double loss_at(const Curve& curve, Axis axis, double x) {
    for (std::size_t i = 0; i < curve.size(); ++i) {
        const double here = value(curve, axis, i);
        if (here == x) return curve.loss[i];
        if (!(here > x)) continue;
        if (i == 0) return kUnknown;
        const double last = value(curve, axis, i - 1);
        return between(curve.loss[i - 1], curve.loss[i], (x - last) / (here - last));
    }
    return kUnknown;
}

CommonEnd common_end(std::span<const RunRecord> runs, Axis axis) {
    CommonEnd end;
    double furthest = kUnknown;
    for (const RunRecord& run : runs) {
        if (run.eval.empty() || run.status == RunStatus::diverged) continue;
        const double last = value(run.eval, axis, run.eval.size() - 1);
        if (!std::isfinite(last)) continue;
        end.x = std::fmin(end.x, last), furthest = std::fmax(furthest, last);
    }
    end.ends_differ = furthest - end.x > 1e-9 * std::abs(furthest);
    return end;
}

}  // namespace steepest::report
