// A few numbers on the host: as many as there are tensors.
#include "ops/step_size.h"

#include <algorithm>
#include <cmath>

namespace steepest {
namespace {

double value(const ConstTensor& scalar) { return *scalar.as<float>(); }

}  // namespace

void run(Cpu&, const SumOfProducts& op) {
    const auto at = [](const ConstTensor& t, std::int64_t i) { return t ? double(t.as<float>()[i]) : 1; };
    double sum = 0;
    for (std::int64_t i = 0; i < op.a.count(); ++i) sum += at(op.a, i) * at(op.b, i) * at(op.c, i);
    if (op.scale) sum *= value(op.scale);
    float& total = *op.total.as<float>();
    total = static_cast<float>((op.accumulate ? double(total) : 0) + sum);
}

void run(Cpu&, const DualLengths& op) {
    using Form = DualLengths::Form;
    const float* d = op.d.as<float>();
    float* lengths = op.lengths.as<float>();
    const std::int64_t n = op.d.count();
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += op.form == Form::share ? double(d[i]) * double(d[i]) : double(d[i]);
    const double root = std::sqrt(sum);
    for (std::int64_t i = 0; i < n; ++i)
        lengths[i] = op.form == Form::own   ? d[i]
                     : op.form == Form::sum ? static_cast<float>(sum)
                     : root == 0            ? 0
                                            : static_cast<float>(d[i] / root);
}

void run(Cpu&, const MomoFactor& op) {
    if (op.gate && value(op.gate) == 0) return;
    const double beta = value(op.beta);
    float& model = *op.model.as<float>();
    model = static_cast<float>(beta * double(model) + (1 - beta) * (value(op.loss) - value(op.gradient_weight)));
    const double limit = std::max(0.0, double(model) - double(op.floor) + value(op.estimate_weight));
    const double decrease = value(op.decrease);
    *op.factor.as<float>() = decrease > limit ? static_cast<float>(limit / decrease) : 1;
}

void run(Cpu&, const Choose& op) {
    const float *a = op.a.as<float>(), *b = op.b.as<float>(), *limits = op.limits.as<float>();
    for (std::int64_t i = 0; i < op.first.count(); ++i) {
        const bool yes = a[i] <= limits[i] * b[i];
        op.first.as<float>()[i] = yes ? op.gains.as<float>()[i] : 0;
        op.second.as<float>()[i] = yes ? 0 : 1;
    }
}

void run(Cpu&, const ClippedLength& op) {
    *op.factor.as<float>() = static_cast<float>(std::min(double(op.largest), value(op.decrease)));
}

}  // namespace steepest
