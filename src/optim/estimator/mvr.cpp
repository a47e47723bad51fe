// Momentum with variance reduction: the average of corrected gradients C, see correction.h.
//   M = beta M + (1 - beta) C
// gamma = 0 is the plain average, gamma = 1 without clip STORM (Cutkosky, Orabona 2019, arXiv:1905.10018); between them
// MARS-M (arXiv:2510.21800) and Muon-MVR (arXiv:2509.15816). With low_rank what is kept of M is its sketch
// (optim/sketch.h), as LiMuon's second option does, arXiv:2509.14562. State: m, or basis and coordinates; and that of
// the correction.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/estimator/correction.h"
#include "optim/sketch.h"

#include <optional>

namespace steepest {

namespace {

class Mvr final : public Estimator {
public:
    struct Options : CorrectionOptions {
        float beta = 0.95f;
        std::string form = "sum";
        std::optional<SketchOptions> low_rank;

        void fields(auto& f) {
            f("beta", beta, "decay of the average", Range<float>{.low = 0, .high = 1, .open_high = true});
            CorrectionOptions::fields(f);
            f("form", form, "ema: the average; sum: that divided by 1 - beta", OneOf{"ema", "sum"});
            f("low_rank", low_rank, "what is kept of the average from step to step; null: all of it");
        }
    };
    explicit Mvr(Options options) : options_(std::move(options)), correction_(options_, options_.beta) {
        if (options_.low_rank) sketch_.emplace(*options_.low_rank);
    }

    OracleNeeds needs() const override { return correction_.needs(); }
    bool needs_matrices() const override { return sketch_.has_value(); }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        if (!sketch_) return 0;
        std::int64_t expansion = 0;
        for (const Shape& s : shapes) expansion += 2 * s.count() * options_.low_rank->basis(s).rows();
        return sketch_->flops(shapes) + expansion;
    }

    void prepare(Binding& binding) override {
        if (sketch_) {
            const SketchOptions kept = *options_.low_rank;
            binding.scratch("m", binding.shapes(), &m_);
            binding.state("basis", &basis_, [kept](const Shape& block) { return kept.basis(block); });
            binding.state("coordinates", &coordinates_, [kept](const Shape& block) { return kept.coordinates(block); });
            sketch_->prepare(binding);
        } else {
            binding.state("m", &m_);
        }
        correction_.prepare(binding);
        binding.scalar("beta", &beta_);
    }
    void begin_step(std::int64_t step) override {
        if (sketch_) sketch_->begin_step(step);
        correction_.begin_step();
        beta_.set(options_.beta);
    }
    void estimate(const Binding& binding) override {
        correction_.correct(binding);
        if (sketch_) Sketch::expand(binding.device, m_, basis_, coordinates_);
        run(binding.device, ClippedEma{.u = binding.gradients,
                                       .m = m_,
                                       .c = binding.gradients,
                                       .sums = correction_.sums(),
                                       .beta = beta_.tensor(),
                                       .gate = binding.ok,
                                       .max_norm = correction_.max_norm(),
                                       .gain = options_.form == "sum" ? 1 / (1 - options_.beta) : 1});
        if (!sketch_) return;
        sketch_->make(binding, m_);
        run(binding.device, Copy{.to = basis_, .from = sketch_->basis(), .gate = binding.ok});
        run(binding.device, Copy{.to = coordinates_, .from = sketch_->coordinates(), .gate = binding.ok});
    }

private:
    Options options_;
    Correction correction_;
    std::optional<Sketch> sketch_;
    TensorList m_, basis_, coordinates_;
    Scalar beta_;
};

const Register<Estimator, Mvr> registered("mvr", "momentum with variance reduction: MARS, Muon-MVR, STORM");

}  // namespace

}  // namespace steepest
