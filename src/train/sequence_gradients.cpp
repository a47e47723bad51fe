#include "train/sequence_gradients.h"

#include "ops/elementwise.h"
#include "ops/gaussian.h"
#include "ops/norm.h"
#include "train/padding.h"

namespace steepest {

SequenceGradients::SequenceGradients(const PrivacyConfig& config, std::span<const ParamSpec> specs, std::uint64_t seed)
    : config_(config), members_(members_of(specs)), binding_("oracle", "privacy", members_), one_(specs.size()) {
    binding_.seed = seed;
    binding_.scratch("sums", &sums_, DType::f32, {static_cast<std::int64_t>(specs.size())});
    binding_.scalar("step", &step_);
}

void SequenceGradients::plan(Layout& gradients, Layout& scratch, StepScalars& scalars) {
    Layout no_state;
    binding_.plan(no_state, scratch, scalars);
    for (std::size_t i = 0; i < members_.size(); ++i)
        gradients.add(members_[i].spec->name + "/oracle/sequence_gradient", &one_[i], DType::f32,
                      members_[i].spec->shape);
}

void SequenceGradients::sum(const TensorList& into, std::int64_t sequences, const Gradient& gradient) const {
    const Device device = binding_.device;
    for (std::int64_t i = 0; i < sequences; ++i) {
        gradient(i, one_);
        run(device, SumOfSquares{.sums = sums_, .list = one_});
        run(device, Normalize{.x = one_, .sums = sums_, .max_norm = static_cast<float>(config_.clip)});
        run(device,
            AddScaled{.x = into, .y = one_, .a = i == 0 ? 0.0f : 1.0f, .b = 1.0f / static_cast<float>(sequences)});
    }
}

void SequenceGradients::add_noise(const TensorList& into, std::int64_t batch) const {
    if (config_.noise == 0) return;
    run(binding_.device,
        Gaussian{.x = one_,
                 .key = binding_.stream("noise"),
                 .step = step_.tensor(),
                 .scale = static_cast<float>(config_.noise * config_.clip / static_cast<double>(batch))});
    clear_padding(binding_.device, members_, one_);
    run(binding_.device, AddScaled{.x = into, .y = one_});
}

}  // namespace steepest
