// Adam's ratio of moments, bias-corrected: with the identity geometry and decoupled decay this is AdamW.
//   M = b1 M + (1 - b1) G;   V = b2 V + (1 - b2) G^2;   U = (M / (1 - b1^t)) / (sqrt(V / (1 - b2^t)) + epsilon)
// with `correction` of corrected gradients, which is MARS-AdamW (Yuan et al. 2024, arXiv:2411.10438, algorithm 2).
// Kingma, Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov, Hutter 2019, arXiv:1711.05101, algorithm 2. State: m, v,
// and that of the correction. t counts the run's steps, a bad one that changed nothing included: with d of them U is
// smaller by at most (1 - b1^(t-d)) / (1 - b1^t) over the root of the same in b2, which is 1 but for the first 1 / (1 -
// b2) steps.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/decays.h"
#include "optim/estimator/correction.h"

#include <cmath>
#include <optional>

namespace steepest {

namespace {

class Adam final : public Estimator {
public:
    struct Options {
        float b1 = 0.9f, b2 = 0.95f, epsilon = 1e-8f;
        std::string start = "zero";
        std::optional<CorrectionOptions> correction;

        void fields(auto& f) {
            const Range<float> decay{.low = 0, .high = 1, .open_high = true};
            f("b1", b1, "decay of the average of gradients", decay);
            f("b2", b2, "decay of the average of squared gradients", decay);
            f("epsilon", epsilon, "added to the root of the average square, in units of the gradient",
              Range<float>{.low = 0, .open_low = true});
            f("start", start,
              "zero: averages start at zero and their bias is corrected; gradient: at the first gradient and its "
              "square",
              OneOf{"zero", "gradient"});
            f("correction", correction, "variance reduction: what the averages are taken of; null: gradients");
        }
    };
    explicit Adam(Options options) : options_(std::move(options)), decays_(options_.start == "gradient") {
        if (options_.correction) correction_.emplace(*options_.correction, options_.b1);
    }

    OracleNeeds needs() const override { return correction_ ? correction_->needs() : OracleNeeds{}; }
    const TensorList* average() const override { return &m_; }

    void prepare(Binding& binding) override {
        if (keeps_average()) {
            binding.state("m", &m_);
            binding.scalar("m_correction", &m_correction_);
        }
        binding.state("v", &v_);
        decays_.prepare(binding);
        binding.scalar("v_correction", &v_correction_);
        if (!correction_) return;
        correction_->prepare(binding);
        binding.scalar("one", &one_);
    }
    void begin_step(std::int64_t step) override {
        const bool from_zero = options_.start == "zero";
        decays_.set({options_.b1, options_.b2});
        if (keeps_average()) m_correction_.set(from_zero ? bias_correction(options_.b1, step) : 1);
        v_correction_.set(from_zero ? bias_correction(options_.b2, step) : 1);
        if (correction_) correction_->begin_step(), one_.set(1);
    }
    void estimate(const Binding& binding) override {
        if (correction_) correction_->correct(binding), correction_->clip(binding);
        decays_.begin(binding);
        AdamEstimate op{.u = binding.gradients,
                        .m = m_,
                        .v = v_,
                        .g = binding.gradients,
                        .gradient_scale = correction_ ? one_.tensor() : binding.gradient_scale,
                        .b1 = {},
                        .b2 = decays_[1],
                        .m_correction = {},
                        .v_correction = v_correction_.tensor(),
                        .gate = binding.ok,
                        .epsilon = options_.epsilon};
        if (keeps_average()) op.b1 = decays_[0], op.m_correction = m_correction_.tensor();
        run(binding.device, op);
        decays_.end(binding);
    }

private:
    bool keeps_average() const { return options_.b1 != 0; }
    // Of the decay as the op has it, an f32: 1 - 0.999f is off by 1e-5, and both must be off alike.
    static double bias_correction(float decay, std::int64_t step) {
        return 1 / (1 - std::pow(static_cast<double>(decay), static_cast<double>(step)));
    }

    Options options_;
    std::optional<Correction> correction_;
    TensorList m_, v_;
    Decays<2> decays_;
    Scalar m_correction_, v_correction_, one_;
};

const Register<Estimator, Adam> registered("adam", "ratio of the gradient's moving average to its root mean square");

}  // namespace

}  // namespace steepest
