#include "report/arm_tables.h"

#include "report/cost_columns.h"
#include "report/table.h"
#include "report/text.h"

#include <cmath>

namespace steepest::report {

namespace {

// Of learning rates: more are for a picture.
constexpr std::size_t kMostRates = 48;

std::string signed_loss(double value) {
    return std::isfinite(value) && value >= 0 ? "+" + fixed(value, kLossDecimals) : fixed(value, kLossDecimals);
}

std::string interval_text(double low, double high) {
    return std::isfinite(low) ? "[" + signed_loss(low) + ", " + signed_loss(high) + "]" : "-";
}

std::string rate_text(double rate) { return std::isfinite(rate) ? brief_number(rate) : "-"; }

std::string p_text(double p) { return !std::isfinite(p) ? "-" : p < 0.0001 ? "<0.0001" : fixed(p, 4); }

std::string verdict(const Difference& difference) {
    if (!std::isfinite(difference.mean)) return "-";
    if (!std::isfinite(difference.low)) return "too few seeds to say";
    if (!difference.significant()) return "not significant";
    return difference.mean < 0 ? "better" : "worse";
}

double least(std::span<const RunRecord> runs, const ArmPoint& point) {
    double best = kUnknown;
    for (const std::size_t run : point.runs) best = std::fmin(best, runs[run].best_loss());
    return best;
}

std::string seeds_text(const Arm& arm) {
    return std::to_string(arm.chosen().usable.size()) + (arm.choosing > 0 ? "*" : "");
}

// "2/12": of all of the arm's runs.
std::string diverged_text(const Arm& arm) {
    std::size_t diverged = 0, all = 0;
    for (const ArmPoint& point : arm.points) diverged += point.diverged, all += point.runs.size();
    return std::to_string(diverged) + "/" + std::to_string(all);
}

double mean_over(std::span<const RunRecord> runs, const ArmPoint& point, auto&& of) {
    double sum = 0, n = 0;
    for (const std::size_t run : point.runs)
        if (const double x = of(runs[run]); std::isfinite(x)) sum += x, n += 1;
    return n > 0 ? sum / n : kUnknown;
}

}  // namespace

std::string arm_table(std::span<const RunRecord> runs, const Arms& arms, std::size_t baseline) {
    const std::string losses = "validation loss " + (arms.end.ends_differ ? "at " + axis_text(arms.axis, arms.end.x)
                                                                          : std::string("at the end"));
    const std::string chosen = "best learning rate", against = "difference to " + arms.arms[baseline].name;
    Table table({{.header = "arm", .align = Align::left},
                 {.header = "rate", .group = chosen},
                 {.header = "of", .group = chosen},
                 {.header = "seeds"},
                 {.header = "mean", .unit = "nats/token", .group = losses},
                 {.header = "std. error", .group = losses},
                 {.header = "95 %", .group = losses},
                 {.header = "best"},
                 {.header = "diverged"},
                 {.header = "mean", .group = against},
                 {.header = "95 % interval", .group = against},
                 {.header = "p", .group = against},
                 {.header = "test", .align = Align::left, .group = against},
                 {.header = "verdict", .align = Align::left, .group = against}});
    bool edge = false, chose = false, tested = false;
    for (std::size_t a = 0; a < arms.arms.size(); ++a) {
        const Arm& arm = arms.arms[a];
        const ArmPoint& point = arm.chosen();
        edge |= arm.at_edge(), chose |= arm.choosing > 0;
        const std::string width = std::isfinite(point.loss.half_width)
                                      ? "+-" + fixed(point.loss.half_width, kLossDecimals)
                                      : std::string("-");
        std::vector<std::string> row = {labelled(arm.name, arm.reconstruction),
                                        rate_text(point.learning_rate) + (arm.at_edge() ? "^" : ""),
                                        std::to_string(arm.points.size()),
                                        seeds_text(arm),
                                        fixed(point.loss.mean, kLossDecimals),
                                        fixed(point.loss.standard_error, kLossDecimals),
                                        width,
                                        fixed(least(runs, point), kLossDecimals),
                                        diverged_text(arm)};
        if (a == baseline) {
            row.insert(row.end(), {"", "", "", "", "baseline"});
        } else {
            const ArmDifference d = difference_of(runs, arm, arms.arms[baseline]);
            const bool known = std::isfinite(d.loss.low);
            tested |= known;
            const std::string test = !known     ? "-"
                                     : d.paired ? "paired, n=" + std::to_string(d.n)
                                                : "Welch, n=" + std::to_string(d.n) + "+" + std::to_string(d.n_other);
            row.insert(row.end(), {signed_loss(d.loss.mean), interval_text(d.loss.low, d.loss.high), p_text(d.loss.p),
                                   test, verdict(d.loss)});
        }
        table.add(std::move(row));
    }
    std::string text = table.text();
    if (chose)
        text += "*  seeds that also chose the learning rate: the mean is optimistic; run fresh seeds to confirm\n";
    if (edge) text += "^  the best rate is the least or the largest tried: a better one may lie beyond\n";
    if (tested) text += "intervals and p are of one comparison each, not corrected for their number\n";
    return text;
}

std::string arm_cost_table(std::span<const RunRecord> runs, const Arms& arms, std::size_t baseline) {
    const Curve reference_curve = mean_curve(runs, arms.arms[baseline].chosen());
    const double target = arms.arms[baseline].chosen().loss.mean;
    const auto reference = first_crossing(reference_curve, target + 1e-9);
    const std::string to = std::isfinite(target) ? "mean curve to the loss of " + arms.arms[baseline].name + ", " +
                                                       fixed(target, kLossDecimals)
                                                 : arms.arms[baseline].name + " has no finite loss";
    std::vector<Column> columns = {{.header = "arm", .align = Align::left}};
    add_cost_columns(columns, to);
    Table table(std::move(columns));
    for (const Arm& arm : arms.arms) {
        std::vector<std::string> row = {labelled(arm.name, arm.reconstruction)};
        const auto point = first_crossing(mean_curve(runs, arm.chosen()), target + 1e-9);
        const auto mean = [&](double StepCost::*part) {
            return mean_over(runs, arm.chosen(), [part](const RunRecord& run) { return step_cost(run).*part; });
        };
        add_cost_cells(row, point, reference,
                       {mean(&StepCost::median_ms), mean(&StepCost::optimizer_share), mean(&StepCost::state_mib)});
        table.add(std::move(row));
    }
    return table.text();
}

std::string arm_target_table(std::span<const RunRecord> runs, const Arms& arms, std::span<const double> targets) {
    std::vector<Column> columns = {{.header = "arm", .align = Align::left}};
    for (const double target : targets)
        for (const char* count : {"reached", "steps", "tokens", "seconds", "with eval"})
            columns.push_back({.header = count, .group = "to loss " + shortest(target)});
    Table table(std::move(columns));
    for (const Arm& arm : arms.arms) {
        const ArmPoint& chosen = arm.chosen();
        const Curve mean = mean_curve(runs, chosen);
        std::vector<std::string> row = {labelled(arm.name, arm.reconstruction)};
        for (const double target : targets) {
            std::size_t reached = 0;
            for (const std::size_t run : chosen.runs) reached += first_crossing(runs[run].eval, target).has_value();
            row.push_back(std::to_string(reached) + "/" + std::to_string(chosen.runs.size()));
            if (const auto point = first_crossing(mean, target))
                row.insert(row.end(), {fixed(point->step, 0), grouped(point->tokens), seconds_text(point->seconds),
                                       seconds_text(point->wall)});
            else
                row.insert(row.end(), 4, "-");
        }
        table.add(std::move(row));
    }
    return table.text();
}

std::string learning_rate_table(const Arms& arms) {
    std::size_t rows = 0;
    for (const Arm& arm : arms.arms) rows += arm.points.size();
    const bool all_rates = rows <= kMostRates;
    Table table({{.header = "arm", .align = Align::left},
                 {.header = "learning rate"},
                 {.header = "seeds"},
                 {.header = "loss", .unit = "nats/token"},
                 {.header = "95 %"},
                 {.header = "diverged"},
                 {.header = "", .align = Align::left}});
    for (const Arm& arm : arms.arms) {
        if (arm.points.size() < 2) continue;
        const auto region = good_region(arm, kGoodTolerance);
        for (std::size_t p = 0; p < arm.points.size(); ++p) {
            if (!all_rates && p != arm.best) continue;
            const ArmPoint& point = arm.points[p];
            std::string note;
            if (p == arm.best && region) {
                const double factor = region->high / region->low;
                note = "best; within " + shortest(kGoodTolerance) + ": " + (region->open_low ? "<= " : "") +
                       brief_number(region->low) + " to " + (region->open_high ? ">= " : "") +
                       brief_number(region->high) + ", a factor of " +
                       (region->open_low || region->open_high ? "at least " : "") + fixed(factor, 1);
            }
            table.add({p == 0 || !all_rates ? labelled(arm.name, arm.reconstruction) : "",
                       rate_text(point.learning_rate), std::to_string(point.usable.size()),
                       fixed(point.loss.mean, kLossDecimals),
                       std::isfinite(point.loss.half_width) ? "+-" + fixed(point.loss.half_width, kLossDecimals) : "-",
                       std::to_string(point.diverged) + "/" + std::to_string(point.runs.size()), note});
        }
    }
    return table.empty() ? "" : table.text();
}

}  // namespace steepest::report
