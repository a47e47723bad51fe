// Max norm: the direction is the sign of each element, 0 for 0.
// Bernstein et al. 2018, arXiv:1802.04434 (signSGD, Signum).
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/geometry.h"

namespace steepest {

namespace {

class SignGeometry final : public Geometry {
public:
    using Options = NoOptions;
    explicit SignGeometry(Options) {}
    void direct(const Binding& binding) override {
        run(binding.device, Sign{.x = binding.gradients, .dual = binding.dual});
    }
};

const Register<Geometry, SignGeometry> registered("sign", "max norm: the sign of each element");

}  // namespace

}  // namespace steepest
