#include "report/csv.h"

#include "report/table.h"
#include "report/text.h"

#include <cmath>

namespace steepest::report {

std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

std::string count_cell(double count) { return std::isnan(count) ? "nan" : fixed(count, 0); }

namespace {

using Sink = std::function<void(std::string_view)>;

void write_rows(std::span<const RunRecord> runs, bool mark, const Sink& out) {
    out("run,optimizer,kind,step,tokens,gradients,flops,seconds,loss\n");
    for (const RunRecord& run : runs) {
        const std::string head =
            quoted(mark ? labelled(run.name, run.reconstruction()) : run.name) + ',' + quoted(run.optimizer()) + ',';
        const auto add = [&](const Curve& curve, const char* kind, std::size_t i) {
            out(head + kind + ',' + std::to_string(curve.step[i]) + ',' + count_cell(curve.tokens[i]) + ',' +
                count_cell(curve.gradients[i]) + ',' + shortest(curve.flops[i]) + ',' + shortest(curve.seconds[i]) +
                ',' + shortest(curve.loss[i]) + '\n');
        };
        // Merged by step; step k's training line is written before the evaluation after it.
        std::size_t t = 0;
        for (std::size_t e = 0; e < run.eval.size(); ++e) {
            for (; t < run.train.size() && run.train.step[t] <= run.eval.step[e]; ++t) add(run.train, "train", t);
            add(run.eval, "eval", e);
        }
        for (; t < run.train.size(); ++t) add(run.train, "train", t);
    }
}

std::string rows(std::span<const RunRecord> runs, bool mark) {
    std::string all;
    write_rows(runs, mark, [&all](std::string_view text) { all += text; });
    return all;
}

}  // namespace

void write_curves_csv(std::span<const RunRecord> runs, const Sink& out) { write_rows(runs, false, out); }
std::string curves_csv(std::span<const RunRecord> runs) { return rows(runs, false); }
std::string labelled_curves_csv(std::span<const RunRecord> runs) { return rows(runs, true); }

}  // namespace steepest::report
