#include "train/measured_peak.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/random.h"
#include "ops/elementwise.h"
#include "ops/gaussian.h"
#include "ops/matmul.h"

#include <algorithm>
#include <string>
#include <utility>

namespace steepest {

double measured_peak_flops(Device device, DType dtype, std::int64_t side) {
    constexpr int kRuns = 20;
    Layout layout;
    Tensor x, weight, y, step;
    layout.add("x", &x, dtype, {side, side});
    layout.add("weight", &weight, dtype, {side, side});
    layout.add("y", &y, DType::f32, {side, side});
    layout.add("step", &step, DType::f32, {1});
    const Buffer memory = layout.allocate(device);
    fill_zero(device, step.data, step.bytes());
    for (const auto& [name, operand] : {std::pair("x", x), std::pair("weight", weight)}) {
        run(device, Gaussian{.x = {y}, .key = Random(1, std::string("peak/") + name).key(), .step = step});
        run(device, Copy{.to = {operand}, .from = {y}});
    }
    const LinearForward op{.y = Tensor(y.data, dtype, y.shape), .x = x, .weight = weight};
    double best = 0;
    for (int i = 0; i < kRuns; ++i) {
        synchronize(device);
        const double start = monotonic_seconds();
        run(device, op);
        synchronize(device);
        best = std::max(best, static_cast<double>(op.flops()) / (monotonic_seconds() - start));
    }
    return best;
}

}  // namespace steepest
