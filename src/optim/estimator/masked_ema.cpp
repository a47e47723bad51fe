// The moving average of gradients that are mostly zero, which only moves where they are not:
//   M = b M + (1 - b) G where G is not 0;   U = M
// JAGUAR's coordinate momentum, Petrov et al. 2025, arXiv:2506.04430, algorithms 1 and 2. State: m.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/estimator.h"

namespace steepest {

namespace {

class MaskedEmaEstimator final : public Estimator {
public:
    struct Options {
        float decay = 0.9f;

        void fields(auto& f) {
            f("decay", decay, "of the average where the gradient is not zero",
              Range<float>{.low = 0, .high = 1, .open_high = true});
        }
    };
    explicit MaskedEmaEstimator(Options options) : options_(options) {}

    void prepare(Binding& binding) override {
        binding.state("m", &m_);
        binding.scalar("decay", &decay_);
    }
    void begin_step(std::int64_t) override { decay_.set(options_.decay); }
    void estimate(const Binding& binding) override {
        run(binding.device, MaskedEma{.u = binding.gradients,
                                      .m = m_,
                                      .g = binding.gradients,
                                      .gradient_scale = binding.gradient_scale,
                                      .beta = decay_.tensor(),
                                      .gate = binding.ok});
    }

private:
    Options options_;
    TensorList m_;
    Scalar decay_;
};

const Register<Estimator, MaskedEmaEstimator> registered("masked_ema",
                                                         "moving average that moves where the gradient is not zero");

}  // namespace

}  // namespace steepest
