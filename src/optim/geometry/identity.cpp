// The direction is the estimate itself: gradient descent, and estimators that end in a step of their own, such as adam.
#include "core/registry.h"
#include "ops/norm.h"
#include "optim/geometry.h"

namespace steepest {

namespace {

class Identity final : public Geometry {
public:
    using Options = NoOptions;
    explicit Identity(Options) {}
    void direct(const Binding& binding) override {
        if (binding.dual) run(binding.device, SumOfSquares{.sums = binding.dual, .list = binding.gradients});
    }
};

const Register<Geometry, Identity> registered("identity", "the estimate itself");

}  // namespace

}  // namespace steepest
