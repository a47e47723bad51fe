// Momentum with variance reduction: the average of gradients corrected by how the gradient has changed.
//   C = G + gamma beta / (1 - beta) (G - H);   C = C / max(1, ||C||_F / clip);   M = beta M + (1 - beta) C
// source previous_gradient: H is the gradient of the step before (Muon-MVR1, MARS-M's approximation);
// source previous_weights:  H is the gradient of this step's batch at the weights of the step before (Muon-MVR2, MARS
// exact). H = 0 at the first step. gamma = 0 is the plain average, gamma = 1 without clip STORM; see
// Yuan et al. 2024, arXiv:2411.10438; Liu et al. 2025, arXiv:2510.21800; arXiv:2509.15816.
// State: m, and previous_gradient where that is the source, which costs no second gradient.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "ops/norm.h"
#include "optim/estimator.h"

namespace steepest {

namespace {

class Mvr final : public Estimator {
public:
    struct Options {
        float beta = 0.95f, gamma = 0.025f, clip = 1;
        std::string source = "previous_gradient", form = "sum";

        void fields(auto& f) {
            f("beta", beta, "decay of the average", Range<float>{.low = 0, .high = 1, .open_high = true});
            f("gamma", gamma, "weight of the correction: 0 is the plain average, 1 the whole of STORM",
              Range<float>{0, 1});
            f("source", source,
              "previous_gradient: of the step before, kept; previous_weights: of the same batch at the weights before, "
              "a second gradient a step",
              OneOf{"previous_gradient", "previous_weights"});
            f("clip", clip, "largest Frobenius norm of a tensor's corrected gradient; 0: no limit",
              Range<float>{.low = 0});
            f("form", form, "ema: the average; sum: that divided by 1 - beta", OneOf{"ema", "sum"});
        }
    };
    explicit Mvr(Options options) : options_(std::move(options)) {}

    OracleNeeds needs() const override { return {.previous_weights_gradient = !keeps_gradient()}; }

    void prepare(Binding& binding) override {
        binding.state("m", &m_);
        if (keeps_gradient()) binding.state("previous_gradient", &previous_);
        if (options_.clip > 0)
            binding.scratch("sums", &sums_, DType::f32, Shape{static_cast<std::int64_t>(binding.shapes().size())});
        binding.scalar("beta", &beta_);
        binding.scalar("strength", &strength_);
        binding.scalar("one", &one_);
    }
    void begin_step(std::int64_t) override {
        const double beta = options_.beta;
        beta_.set(beta);
        strength_.set(options_.gamma * beta / (1 - beta));
        one_.set(1);
    }
    void estimate(const Binding& binding) override {
        // A kept gradient was scaled when it was new.
        run(binding.device, MvrCorrect{.c = binding.gradients,
                                       .other = keeps_gradient() ? previous_ : binding.previous,
                                       .g = binding.gradients,
                                       .gradient_scale = binding.gradient_scale,
                                       .other_scale = keeps_gradient() ? one_.tensor() : binding.previous_scale,
                                       .strength = strength_.tensor(),
                                       .gate = binding.ok,
                                       .keep_gradient = keeps_gradient()});
        if (options_.clip > 0) run(binding.device, SumOfSquares{.sums = sums_, .list = binding.gradients});
        run(binding.device, ClippedEma{.u = binding.gradients,
                                       .m = m_,
                                       .c = binding.gradients,
                                       .sums = sums_,
                                       .beta = beta_.tensor(),
                                       .gate = binding.ok,
                                       .max_norm = options_.clip,
                                       .gain = options_.form == "sum" ? 1 / (1 - options_.beta) : 1});
    }

private:
    bool keeps_gradient() const { return options_.source == "previous_gradient"; }

    Options options_;
    TensorList m_, previous_;
    Tensor sums_;
    Scalar beta_, strength_, one_;
};

const Register<Estimator, Mvr> registered("mvr", "momentum with variance reduction: MARS, Muon-MVR, STORM");

}  // namespace

}  // namespace steepest
