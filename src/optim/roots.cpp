#include "optim/roots.h"

#include "ops/elementwise.h"
#include "ops/multiply.h"
#include "optim/geometry/newton_schulz_sets.h"

namespace steepest {

namespace {

const std::vector<std::array<double, 3>>& steps() {
    static const std::vector<std::array<double, 3>> all = newton_schulz_set("polar_express_paper", 8).coefficients;
    return all;
}

// Not as a symmetric product, though it is one: mirroring half of it would undo the order of factors that the
// iteration's stability rests on.
void multiply(Device device, const TensorList& c, const TensorList& a, const TensorList& b) {
    run(device, Multiply{.c = c, .a = a, .b = b});
}

}  // namespace

void SquareRoots::prepare(Binding& binding, std::vector<Shape> squares) {
    for (TensorList* list : {&y_, &z_, &next_z_, &t_, &q_}) binding.scratch("roots", squares, list);
}

void SquareRoots::replace(Device device, const TensorList& b, const TensorList& inverse) {
    TensorList y = b, next_y = y_, z = z_, next_z = next_z_;
    for (std::size_t k = 0; k < steps().size(); ++k) {
        const bool first = k == 0;
        if (!first) multiply(device, t_, z, y);
        const TensorList& t = first ? y : t_;
        const auto [constant, linear, square] = steps()[k];
        const TensorList& q = first ? z : q_;  // Z = Q I
        run(device, Multiply{.c = q,
                             .a = t,
                             .b = t,
                             .d = t,
                             .alpha = static_cast<float>(square),
                             .beta = static_cast<float>(linear),
                             .identity = static_cast<float>(constant)});
        multiply(device, next_y, y, q);
        std::swap(y, next_y);
        if (first) continue;
        multiply(device, next_z, q, z);
        std::swap(z, next_z);
    }
    if (y[0].data != b[0].data) run(device, Copy{.to = b, .from = y});
    if (!inverse.empty()) run(device, Copy{.to = inverse, .from = z});
}

std::int64_t SquareRoots::flops(const std::vector<Shape>& squares) {
    std::int64_t product = 0;
    for (const Shape& s : squares) product += 2 * s.count() * s.rows();
    return product * (4 * static_cast<std::int64_t>(steps().size()) - 2);
}

}  // namespace steepest
