// Nothing is done.
#include "core/registry.h"
#include "optim/transform.h"

namespace steepest {

namespace {

class None final : public Transform {
public:
    using Options = NoOptions;
    explicit None(Options) {}
    bool is_identity() const override { return true; }
    void apply(const Binding&) override {}
};

const Register<Transform, None> registered("none", "as it is");

}  // namespace

}  // namespace steepest
