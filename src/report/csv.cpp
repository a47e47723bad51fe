#include "report/csv.h"

#include "report/table.h"

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

std::string curves_csv(std::span<const RunRecord> runs) {
    std::string out = "run,optimizer,kind,step,tokens,gradients,flops,seconds,loss\n";
    for (const RunRecord& run : runs) {
        const std::string head = quoted(run.name) + ',' + quoted(run.optimizer()) + ',';
        const auto add = [&](const Curve& curve, const char* kind, std::size_t i) {
            out += head + kind + ',' + std::to_string(curve.step[i]) + ',' + std::to_string(curve.tokens[i]) + ',' +
                   std::to_string(curve.gradients[i]) + ',' + shortest(curve.flops[i]) + ',' +
                   shortest(curve.seconds[i]) + ',' + shortest(curve.loss[i]) + '\n';
        };
        // Merged by step; step k's training line is written before the evaluation after it.
        std::size_t t = 0;
        for (std::size_t e = 0; e < run.eval.size(); ++e) {
            for (; t < run.train.size() && run.train.step[t] <= run.eval.step[e]; ++t) add(run.train, "train", t);
            add(run.eval, "eval", e);
        }
        for (; t < run.train.size(); ++t) add(run.train, "train", t);
    }
    return out;
}

}  // namespace steepest::report
