// One quotient on the host.
#include "ops/finite_difference.h"

#include "kernels/cpu/cpu.h"

#include <algorithm>

namespace steepest {

void run(Cpu&, const FiniteDifference& op) {
    const double difference = double(*op.plus.as<float>()) - double(*op.minus.as<float>());
    std::fill_n(op.slopes.as<float>(), op.slopes.count(), static_cast<float>(difference / op.distance));
}

}  // namespace steepest
