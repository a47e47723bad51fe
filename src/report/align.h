#pragma once
// Curves laid over each other: the axes they can share, the first time a loss is reached, the loss at a given place.
#include "report/run_record.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace steepest::report {

enum class Axis { step, tokens, gradients, seconds, flops };

// Throws InputError that lists the names.
Axis parse_axis(std::string_view name);
std::string_view name_of(Axis axis);
// With its unit: "training time without evaluation (s)".
std::string_view label_of(Axis axis);
double value(const Curve& curve, Axis axis, std::size_t row);

// A place on a curve between two rows, so every count is fractional.
struct CurvePoint {
    double step, tokens, gradients, flops, seconds, wall;
};

// Where the loss is first at or below `target`. Between the evaluation before and the one that reached it, every column
// is interpolated linearly in the loss: at loss l0 > target >= l1 the fraction (l0 - target) / (l0 - l1) of the way. A
// first evaluation at or below the target is the place itself; so is one that follows a loss that was not finite, as
// nothing is known of the way there. A later rise changes nothing. Nothing where the target is never reached.
std::optional<CurvePoint> first_crossing(const Curve& curve, double target);

// The loss at `x`, linear between rows; NaN before the first row, past the last one and beside a loss not finite.
double loss_at(const Curve& curve, Axis axis, double x);

// The largest x that every run with an evaluation reaches, diverged ones left out, and whether some go further by more
// than rounding.
struct CommonEnd {
    double x = kUnknown;
    bool ends_differ = false;
};
CommonEnd common_end(std::span<const RunRecord> runs, Axis axis);

}  // namespace steepest::report
