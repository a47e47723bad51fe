#include "optim/polar.h"

#include "ops/orthogonalize.h"
#include "optim/geometry/newton_schulz_sets.h"

namespace steepest {

namespace {

Orthogonalize iteration() {
    static const NewtonSchulzSet set = newton_schulz_set("polar_express_paper", 12);
    return {.x = {},
            .scratch = {},
            .coefficients = set.coefficients,
            .compute = DType::f32,
            .norm_factor = set.norm_factor,
            .epsilon = set.epsilon};
}

}  // namespace

void Polar::prepare(Binding& binding, const std::string& name, const std::vector<Shape>& shapes) {
    const std::int64_t bytes = Orthogonalize::scratch_bytes(shapes, DType::f32, std::int64_t{64} << 20);
    binding.scratch(name, &scratch_, DType::f32, Shape{(bytes + 3) / 4});
}

void Polar::replace(Device device, const TensorList& x, Tensor dual) const {
    Orthogonalize op = iteration();
    op.x = x, op.scratch = scratch_, op.dual = dual;
    run(device, op);
}

std::int64_t Polar::flops(const std::vector<Shape>& shapes) {
    Orthogonalize op = iteration();
    for (const Shape& shape : shapes) op.x.push_back({nullptr, DType::f32, shape});
    return op.flops();
}

}  // namespace steepest
