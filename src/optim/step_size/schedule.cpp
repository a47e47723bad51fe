// The step is what the learning rates say.
#include "core/registry.h"
#include "optim/step_size.h"

namespace steepest {

namespace {

class ScheduleOnly final : public StepSize {
public:
    using Options = NoOptions;
    explicit ScheduleOnly(Options) {}
    bool decides() const override { return false; }
};

const Register<StepSize, ScheduleOnly> registered("schedule", "what the learning rates say");

}  // namespace

}  // namespace steepest
