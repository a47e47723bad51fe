// The learning rates times min(largest, <M, D>), D being the direction of the ball of all norms together, radii
// included: Clipped Scion, Pethick et al. 2025, arXiv:2506.01913. Far from a minimum the step is the ball's, near one
// it is steepest descent's, which shrinks with the gradient.
#include "core/registry.h"
#include "ops/step_size.h"
#include "optim/step_size.h"

namespace steepest {

namespace {

class Clip final : public StepSize {
public:
    struct Options {
        float largest = 1;

        void fields(auto& f) {
            f("largest", largest, "the most that the learning rates are multiplied with",
              Range<float>{.low = 0, .open_low = true});
        }
    };
    explicit Clip(Options options) : options_(options) {}

    bool counts_learning_rates() const override { return false; }
    void decide(const Binding& binding, const StepProducts& products, Tensor factor) override {
        run(binding.device,
            ClippedLength{.factor = factor, .decrease = products.decrease, .largest = options_.largest});
    }

private:
    Options options_;
};

const Register<StepSize, Clip> registered("clip", "times the dual norm of all estimates, up to a limit");

}  // namespace

}  // namespace steepest
