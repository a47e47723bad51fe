#pragma once
// The sum of the Euclidean norms of rows, or columns, has the largest such norm as its dual; what both plugins share.
#include "core/registry.h"
#include "ops/axis.h"
#include "ops/norm.h"
#include "optim/geometry.h"

namespace steepest {

template <Axis kAxis>
class AxisNorm final : public Geometry {
public:
    using Options = NoOptions;
    explicit AxisNorm(Options) {}

    bool needs_matrices() const override { return true; }
    void prepare(Binding& binding) override { binding.axis_scratch("squares", kAxis, &squares_); }
    void direct(const Binding& binding) override {
        run(binding.device, AxisSquares{.sums = squares_, .x = binding.gradients, .axis = kAxis});
        run(binding.device, DivideByRoots{.x = binding.gradients, .values = squares_, .axis = kAxis});
        if (binding.dual) run(binding.device, SumOfRoots{.sums = binding.dual, .list = squares_});
    }

private:
    TensorList squares_;
};

}  // namespace steepest
