#include "optim/sketch.h"

#include "ops/gaussian.h"
#include "ops/multiply.h"

#include <algorithm>

namespace steepest {

namespace {

bool is_tall(const Tensor& x) { return x.shape.rows() > x.shape.cols(); }

// Rows of c[i] are those of a[i] times x[i] or its transpose: from the shorter side to the longer one, or back.
void multiply_by(Device device, const TensorList& c, const TensorList& a, const TensorList& x, bool to_longer) {
    for (const bool transposed : {false, true}) {
        Multiply op{.c = {}, .a = {}, .b = {}, .transpose_b = transposed};
        for (std::size_t i = 0; i < x.size(); ++i)
            if ((is_tall(x[i]) == to_longer) == transposed)
                op.c.push_back(c[i]), op.a.push_back(a[i]), op.b.push_back(x[i]);
        if (!op.c.empty()) run(device, op);
    }
}

std::int64_t width(const SketchOptions& o, const Shape& m) {
    return std::min({std::int64_t{o.rank} + o.oversampling, m.rows(), m.cols()});
}

}  // namespace

Shape SketchOptions::basis(const Shape& m) const { return {width(*this, m), std::max(m.rows(), m.cols())}; }
Shape SketchOptions::coordinates(const Shape& m) const { return {width(*this, m), std::min(m.rows(), m.cols())}; }

void Sketch::prepare(Binding& binding) {
    std::vector<Shape> bases, coordinates;
    for (const Shape& s : binding.shapes())
        bases.push_back(options_.basis(s)), coordinates.push_back(options_.coordinates(s));
    binding.scratch("basis", bases, &basis_);
    binding.scratch("coordinates", std::move(coordinates), &coordinates_);
    binding.scalar("step", &step_);
    orthonormal_.prepare(binding, "parts", bases);
}

void Sketch::make(const Binding& binding, const TensorList& x) {
    const Device device = binding.device;
    run(device, Gaussian{.x = coordinates_, .key = binding.stream("sketch"), .step = step_.tensor()});
    multiply_by(device, basis_, coordinates_, x, true);
    for (int k = 0; k < options_.power_iterations; ++k) {
        multiply_by(device, coordinates_, basis_, x, false);
        multiply_by(device, basis_, coordinates_, x, true);
    }
    orthonormal_.replace(device, basis_);
    multiply_by(device, coordinates_, basis_, x, false);
}

void Sketch::expand(Device device, const TensorList& x, const TensorList& basis, const TensorList& coordinates) {
    Multiply op{.c = x, .a = {}, .b = {}, .transpose_a = true};
    for (std::size_t i = 0; i < x.size(); ++i) {
        op.a.push_back(is_tall(x[i]) ? basis[i] : coordinates[i]);
        op.b.push_back(is_tall(x[i]) ? coordinates[i] : basis[i]);
    }
    run(device, op);
}

std::int64_t Sketch::flops(const std::vector<Shape>& shapes) const {
    std::int64_t total = 0;
    std::vector<Shape> bases;
    for (const Shape& s : shapes) {
        bases.push_back(options_.basis(s));
        total += 2 * bases.back().rows() * s.count() * (2 + 2 * options_.power_iterations);
    }
    return total + OrthonormalRows::flops(bases);
}

}  // namespace steepest
