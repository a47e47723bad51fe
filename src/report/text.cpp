#include "report/text.h"

#include "report/table.h"

#include <cmath>
#include <cstdio>

namespace steepest::report {

std::string seconds_text(double seconds) { return fixed(seconds, seconds < 10 ? 2 : seconds < 1000 ? 1 : 0); }

std::string ratio_text(double baseline, double run) {
    const double ratio = baseline / run;
    return std::isfinite(ratio) ? fixed(ratio, 2) + "x" : "-";
}

std::string axis_text(Axis axis, double x) {
    switch (axis) {
        case Axis::step:
            return "step " + grouped(x);
        case Axis::tokens:
            return grouped(x) + " tokens";
        case Axis::gradients:
            return grouped(x) + " gradients";
        case Axis::seconds:
            return seconds_text(x) + " s";
        case Axis::flops: {
            char text[32];
            std::snprintf(text, sizeof text, "%.3g FLOPs", x);
            return text;
        }
    }
    return {};
}

std::string labelled(const std::string& name, bool reconstruction) {
    return reconstruction ? name + " (reconstruction)" : name;
}

std::string brief_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
}

}  // namespace steepest::report
