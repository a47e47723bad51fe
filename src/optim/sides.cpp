#include "optim/sides.h"

#include "ops/multiply.h"

#include <algorithm>

namespace steepest {

namespace {

bool tall(const Tensor& x) { return x.shape.rows() > x.shape.cols(); }

// One Multiply for the wide matrices and one for the tall ones, which `add` extends by matrix i.
template <class Add>
void in_both_orientations(Device device, const TensorList& x, Multiply op, bool transposes, Add&& add) {
    for (const bool is_tall : {false, true}) {
        Multiply part = op;
        part.transpose_a = transposes && is_tall, part.transpose_b = transposes && !is_tall;
        for (std::size_t i = 0; i < x.size(); ++i)
            if (tall(x[i]) == is_tall) add(part, i, is_tall);
        if (!part.c.empty()) run(device, part);
    }
}

// Products of no terms, to which it is added.
Multiply multiple_of_identity(const TensorList& h, float value) {
    Multiply op{.c = h, .a = {}, .b = {}, .identity = value};
    for (const Tensor& t : h) {
        op.a.emplace_back(t.data, DType::f32, Shape{t.shape[0], 0});
        op.b.emplace_back(t.data, DType::f32, Shape{0, t.shape[0]});
    }
    return op;
}

}  // namespace

std::vector<Shape> side_shapes(const std::vector<Shape>& matrices) {
    std::vector<Shape> sides;
    for (const Shape& m : matrices) {
        const std::int64_t side = std::min(m.rows(), m.cols());
        sides.push_back({side, side});
    }
    return sides;
}

void multiply(Device device, const SideProduct& p) {
    const Multiply op{.c = {}, .a = {}, .b = {}, .symmetric = true, .alpha = p.alpha, .identity = p.identity};
    in_both_orientations(device, p.x, op, true, [&](Multiply& part, std::size_t i, bool) {
        part.c.push_back(p.h[i]), part.a.push_back(p.x[i]), part.b.push_back(p.y[i]);
    });
}

void multiply(Device device, const SideApplication& p) {
    const Multiply op{.c = {}, .a = {}, .b = {}, .alpha = p.alpha, .beta = p.beta};
    in_both_orientations(device, p.x, op, false, [&](Multiply& part, std::size_t i, bool is_tall) {
        part.c.push_back(p.z[i]);
        part.a.push_back(is_tall ? p.x[i] : p.h[i]), part.b.push_back(is_tall ? p.h[i] : p.x[i]);
        if (!p.d.empty()) part.d.push_back(p.d[i]);
    });
}

void add_to_diagonal(Device device, const TensorList& h, float value) {
    Multiply op = multiple_of_identity(h, value);
    op.d = h;
    run(device, op);
}

void set_to_identity(Device device, const TensorList& h) { run(device, multiple_of_identity(h, 1)); }

std::int64_t side_flops(const std::vector<Shape>& matrices) {
    std::int64_t total = 0;
    for (const Shape& m : matrices) total += 2 * m.count() * std::min(m.rows(), m.cols());
    return total;
}

}  // namespace steepest
