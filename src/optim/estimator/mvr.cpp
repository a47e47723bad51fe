// Momentum with variance reduction: the average of corrected gradients C, see correction.h.
//   M = beta M + (1 - beta) C
// gamma = 0 is the plain average, gamma = 1 without clip STORM (Cutkosky, Orabona 2019, arXiv:1905.10018); between them
// MARS-M (arXiv:2510.21800) and Muon-MVR (arXiv:2509.15816). State: m, and that of the correction.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/estimator/correction.h"

namespace steepest {

namespace {

class Mvr final : public Estimator {
public:
    struct Options : CorrectionOptions {
        float beta = 0.95f;
        std::string form = "sum";

        void fields(auto& f) {
            f("beta", beta, "decay of the average", Range<float>{.low = 0, .high = 1, .open_high = true});
            CorrectionOptions::fields(f);
            f("form", form, "ema: the average; sum: that divided by 1 - beta", OneOf{"ema", "sum"});
        }
    };
    explicit Mvr(Options options) : options_(std::move(options)), correction_(options_, options_.beta) {}

    OracleNeeds needs() const override { return correction_.needs(); }

    void prepare(Binding& binding) override {
        binding.state("m", &m_);
        correction_.prepare(binding);
        binding.scalar("beta", &beta_);
    }
    void begin_step(std::int64_t) override {
        correction_.begin_step();
        beta_.set(options_.beta);
    }
    void estimate(const Binding& binding) override {
        correction_.correct(binding);
        run(binding.device, ClippedEma{.u = binding.gradients,
                                       .m = m_,
                                       .c = binding.gradients,
                                       .sums = correction_.sums(),
                                       .beta = beta_.tensor(),
                                       .gate = binding.ok,
                                       .max_norm = correction_.max_norm(),
                                       .gain = options_.form == "sum" ? 1 / (1 - options_.beta) : 1});
    }

private:
    Options options_;
    Correction correction_;
    TensorList m_;
    Scalar beta_;
};

const Register<Estimator, Mvr> registered("mvr", "momentum with variance reduction: MARS, Muon-MVR, STORM");

}  // namespace

}  // namespace steepest
