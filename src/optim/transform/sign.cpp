// Elements become their signs: of a polar factor, SignMuon (arXiv:2605.16311), which lets workers vote with one bit.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/transform.h"

namespace steepest {

namespace {

class SignTransform final : public Transform {
public:
    using Options = NoOptions;
    explicit SignTransform(Options) {}
    void apply(const Binding& binding) override { run(binding.device, Sign{.x = binding.gradients}); }
};

const Register<Transform, SignTransform> registered("sign", "the sign of each element");

}  // namespace

}  // namespace steepest
