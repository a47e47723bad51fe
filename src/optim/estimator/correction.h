#pragma once
// The gradient corrected by how gradients have changed, as variance reduction wants it; what mvr and adam share.
//   C = G + gamma beta / (1 - beta) (G - H);   C = C / max(1, ||C||_F / clip), tensor by tensor
// source previous_gradient: H is the gradient of the step before (Muon-MVR1, MARS's approximation);
// source previous_weights:  H is the gradient of this step's batch at the weights of the step before (Muon-MVR2, MARS);
// source previous_batch:    H is the gradient of the step before's batch at the weights of this step (Muon-MVR3).
// H = 0 at the first step. Yuan et al. 2024, arXiv:2411.10438; Liu et al. 2025, arXiv:2510.21800; arXiv:2509.15816.
// State: previous_gradient where that is the source.
#include "core/field.h"
#include "optim/estimator.h"

#include <string>

namespace steepest {

struct CorrectionOptions {
    float gamma = 0.025f, clip = 1;
    std::string source = "previous_gradient";

    CorrectionOptions() =
        default;  // as an aggregate inside another, g++ 12 warns of strings that are not uninitialised
    void fields(auto& f) {
        f("gamma", gamma, "weight of the correction: 0 is the plain average, 1 the whole of STORM", Range<float>{0, 1});
        f("source", source,
          "previous_gradient: of the step before, kept; previous_weights: of the same batch at the weights before; "
          "previous_batch: of the batch before at the same weights; the latter two take a second gradient a step",
          OneOf{"previous_gradient", "previous_weights", "previous_batch"});
        f("clip", clip, "largest Frobenius norm of a tensor's corrected gradient; 0: no limit", Range<float>{.low = 0});
    }
};

class Correction {
public:
    // `beta` is the decay of the average that takes the corrected gradients.
    Correction(CorrectionOptions options, float beta) : options_(std::move(options)), beta_(beta) {}

    OracleNeeds needs() const;
    void prepare(Binding& binding);
    void begin_step();
    // binding.gradients: raw gradients in, C before its clip out. Writes its sums of squares where there is a clip.
    void correct(const Binding& binding);
    // Clips what correct() has left.
    void clip(const Binding& binding);

    float max_norm() const { return options_.clip; }
    const Tensor& sums() const { return sums_; }

private:
    bool keeps_gradient() const { return options_.source == "previous_gradient"; }

    CorrectionOptions options_;
    float beta_;
    TensorList previous_;
    Tensor sums_;
    Scalar strength_, one_;
};

}  // namespace steepest
