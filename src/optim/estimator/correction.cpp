#include "optim/estimator/correction.h"

#include "ops/elementwise.h"
#include "ops/norm.h"

namespace steepest {

OracleNeeds Correction::needs() const {
    return {.previous_weights_gradient = options_.source == "previous_weights",
            .previous_batch_gradient = options_.source == "previous_batch"};
}

void Correction::prepare(Binding& binding) {
    if (keeps_gradient()) binding.state("previous_gradient", &previous_);
    if (options_.clip > 0)
        binding.scratch("sums", &sums_, DType::f32, Shape{static_cast<std::int64_t>(binding.shapes().size())});
    binding.scalar("strength", &strength_);
    binding.scalar("one", &one_);
}

void Correction::begin_step() {
    const double beta = beta_;
    strength_.set(options_.gamma * beta / (1 - beta));
    one_.set(1);
}

void Correction::correct(const Binding& binding) {
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
}

void Correction::clip(const Binding& binding) {
    if (options_.clip > 0)
        run(binding.device, Normalize{.x = binding.gradients, .sums = sums_, .max_norm = options_.clip});
}

}  // namespace steepest
