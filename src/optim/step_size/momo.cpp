// The learning rates, cut where a model of the loss says that the step would take it below its floor.
//   F = beta F + (1 - beta) (loss - <G, W>);   factor = min(1, max(0, F - floor + <M, W>) / <M, planned step>)
// with F = loss - <G, W> at the first good step. For a step along D with learning rate eta this is
// min(eta, (F - floor + <M, W>)_+ / <M, D>): MoMo (Schaipp et al. 2024, arXiv:2305.07583) where D is M, and
// MuonMax-Momo (Crawshaw et al. 2025, arXiv:2510.09827) where D is what steepest descent under its product norm gives.
// `beta` should be the decay of the averages M. State: F, and that of decays.h.
#include "core/registry.h"
#include "ops/step_size.h"
#include "optim/decays.h"
#include "optim/step_size.h"

namespace steepest {

namespace {

class Momo final : public StepSize {
public:
    struct Options {
        float beta = 0.9f, floor = 0;

        void fields(auto& f) {
            f("beta", beta, "decay of the averaged loss; that of the averaged gradients",
              Range<float>{.low = 0, .high = 1, .open_high = true});
            f("floor", floor, "a value that the loss does not fall under, in nats");
        }
    };
    explicit Momo(Options options) : options_(options) {}

    bool needs_weight_products() const override { return true; }
    void prepare(Binding& binding) override {
        binding.number_state("loss", &model_);
        decays_.prepare(binding);
    }
    void begin_step(std::int64_t) override { decays_.set({options_.beta}); }
    void decide(const Binding& binding, const StepProducts& products, Tensor factor) override {
        decays_.begin(binding);
        run(binding.device, MomoFactor{.factor = factor,
                                       .model = model_,
                                       .loss = products.loss,
                                       .gradient_weight = products.gradient_weight,
                                       .estimate_weight = products.estimate_weight,
                                       .decrease = products.decrease,
                                       .beta = decays_[0],
                                       .gate = binding.ok,
                                       .floor = options_.floor});
        decays_.end(binding);
    }

private:
    Options options_;
    Tensor model_;
    Decays<1> decays_{true};
};

const Register<StepSize, Momo> registered("momo", "cut where a model of the loss would fall under its floor");

}  // namespace

}  // namespace steepest
