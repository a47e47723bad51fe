// One point: the weights.
#include "core/registry.h"
#include "optim/averaging.h"

namespace steepest {

namespace {

class NoAveraging final : public Averaging {
public:
    using Options = NoOptions;
    explicit NoAveraging(Options) {}
    bool averages() const override { return false; }
    double share(std::int64_t, const std::function<double(std::int64_t)>&) override { return 1; }
    double mix(std::int64_t) const override { return 1; }
};

const Register<Averaging, NoAveraging> registered("none", "the weights are the one point there is");

}  // namespace

}  // namespace steepest
