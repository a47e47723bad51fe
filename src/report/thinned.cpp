#include "report/thinned.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace steepest::report {

Curve thinned(Curve curve, std::size_t most_rows) {
    if (most_rows == 0) return {};
    const std::size_t rows = curve.size();
    if (rows <= std::max<std::size_t>(most_rows, 8)) return curve;
    const std::size_t buckets = (std::max<std::size_t>(most_rows, 8) - 2) / 3;
    std::set<std::size_t> kept = {0, rows - 1};
    for (std::size_t b = 0; b < buckets; ++b) {
        const std::size_t begin = b * rows / buckets, end = (b + 1) * rows / buckets;
        std::size_t least = end, largest = end, broken = end;
        for (std::size_t i = begin; i < end; ++i) {
            const double loss = curve.loss[i];
            if (!std::isfinite(loss)) {
                if (broken == end) broken = i;
                continue;
            }
            if (least == end || loss < curve.loss[least]) least = i;
            if (largest == end || loss > curve.loss[largest]) largest = i;
        }
        for (const std::size_t row : {least, largest, broken})
            if (row != end) kept.insert(row);
    }
    const auto keep = [&kept](auto& column) {
        std::size_t to = 0;
        for (const std::size_t row : kept) column[to++] = column[row];
        column.resize(to), column.shrink_to_fit();
    };
    keep(curve.step), keep(curve.tokens), keep(curve.gradients), keep(curve.flops);
    keep(curve.seconds), keep(curve.wall), keep(curve.loss);
    return curve;
}

}  // namespace steepest::report
