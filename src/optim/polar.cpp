#include "optim/polar.h"

namespace steepest {

Polar::Polar(const PolarOptions& options)
    : options_(options),
      set_(newton_schulz_set(options_.coefficients,
                             options_.steps.value_or(newton_schulz_default_steps(options_.coefficients)))) {}

void Polar::prepare(Binding& binding, const std::string& name, const std::vector<Shape>& shapes) {
    const std::int64_t bytes = Orthogonalize::scratch_bytes(shapes, options_.compute, options_.scratch_limit << 20);
    binding.scratch(name, &scratch_, DType::f32, Shape{(bytes + 3) / 4});
}

void Polar::replace(Device device, const TensorList& x, Tensor dual, ConstTensor gate) const {
    Orthogonalize op = iteration();
    op.x = x, op.dual = dual, op.gate = gate;
    run(device, op);
}

std::int64_t Polar::flops(const std::vector<Shape>& shapes) const {
    Orthogonalize op = iteration();
    for (const Shape& shape : shapes) op.x.push_back({nullptr, DType::f32, shape});
    return op.flops();
}

Orthogonalize Polar::iteration() const {
    return {.x = {},
            .scratch = scratch_,
            .coefficients = set_.coefficients,
            .compute = options_.compute,
            .form = options_.form.value_or(set_.form(options_.compute)),
            .norm_factor = options_.divides ? set_.norm_factor : 0,
            .epsilon = options_.divides ? set_.epsilon : 1};
}

}  // namespace steepest
