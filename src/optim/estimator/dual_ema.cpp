// One moving average, looked at and kept with two decays: plain gradient, momentum, Nesterov, Lion.
//   U = b1 M + (1 - b1) G;   M = b2 M + (1 - b2) G;   form sum: U / (1 - b2)
// (0, 0) is the gradient itself, (b, b) the exponential average, (b^2, b) Nesterov's momentum (K. Jordan et al.,
// "Muon", 2024), (0.9, 0.99) Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2). The form sum makes momentum what
// torch's SGD has: buf = b buf + G. State: m, or nothing for (0, 0); with start gradient that of decays.h.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/decays.h"
#include "optim/estimator.h"

namespace steepest {

namespace {

class DualEmaEstimator final : public Estimator {
public:
    struct Options {
        float b1 = 0, b2 = 0;
        std::string form = "ema", start = "zero";

        void fields(auto& f) {
            const Range<float> decay{.low = 0, .high = 1, .open_high = true};
            f("b1", b1, "weight of the old average in the estimate", decay);
            f("b2", b2, "weight of the old average in the new one", decay);
            f("form", form, "ema: averages; sum: those divided by 1 - b2, the momentum buffer of torch's SGD",
              OneOf{"ema", "sum"});
            f("start", start, "of the average: zero, or the first gradient", OneOf{"zero", "gradient"});
        }
    };
    explicit DualEmaEstimator(Options options) : options_(std::move(options)), decays_(options_.start == "gradient") {}

    void prepare(Binding& binding) override {
        if (!keeps_average()) return;
        binding.state("m", &m_);
        decays_.prepare(binding);
    }
    void begin_step(std::int64_t) override {
        if (keeps_average()) decays_.set({options_.b1, options_.b2});
    }
    void estimate(const Binding& binding) override {
        DualEma op{.u = binding.gradients,
                   .m = m_,
                   .g = binding.gradients,
                   .gradient_scale = binding.gradient_scale,
                   .b1 = {},
                   .b2 = {},
                   .gate = binding.ok,
                   .gain = options_.form == "sum" ? 1 / (1 - options_.b2) : 1};
        if (!keeps_average()) return run(binding.device, op);
        decays_.begin(binding);
        op.b1 = decays_[0], op.b2 = decays_[1];
        run(binding.device, op);
        decays_.end(binding);
    }

private:
    bool keeps_average() const { return options_.b1 != 0 || options_.b2 != 0; }

    Options options_;
    TensorList m_;
    Decays<2> decays_;
};

const Register<Estimator, DualEmaEstimator> registered(
    "dual_ema", "moving average of gradients: plain gradient, momentum, Nesterov, Lion");

}  // namespace

}  // namespace steepest
