#pragma once
// A GPT-2 with what the trainer would give it: weight copies, gradients, activations, tokens, on one device.
#include "core/memory.h"
#include "model/gpt2.h"
#include "tests/harness.h"
#include "tests/reference/gpt2.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

namespace steepest::testing {

// Sizes that fill no vector register and divide into no tile.
inline Gpt2Config micro_gpt2() {
    Gpt2Config config;
    config.layers = 2, config.heads = 2, config.width = 20, config.context = 9, config.vocab = 31;
    return config;
}

inline Gpt2Sizes sizes_of(const Gpt2Config& config) {
    return {.layers = std::size_t(config.layers),
            .heads = std::size_t(config.heads),
            .width = std::size_t(config.width),
            .vocab = std::size_t(config.vocab)};
}

// Large enough for attention and GELU to bend, unlike weights at their start. Padding rows are zero.
inline Gpt2Weights bent_weights(const Gpt2Config& config) {
    Gpt2Weights weights;
    for (const ParamSpec& spec : gpt2_table(config).specs) {
        const double mean = spec.role == Role::gain ? 1 : 0;
        std::vector<double> values = normal(spec.shape.count(), spec.name, spec.shape.rank() == 2 ? 0.3 : 0.2);
        const std::int64_t padding = spec.padding_rows * spec.shape.cols();
        std::fill(values.end() - padding, values.end(), 0.0);
        // The reference sees the numbers that an f32 holds.
        for (double& v : values) v = static_cast<float>(v + mean);
        weights[spec.name] = std::move(values);
    }
    return weights;
}

// B sequences of T tokens and what follows each.
struct Text {
    std::vector<double> inputs, targets;
    std::int64_t B, T;

    Text slice(std::int64_t first, std::int64_t count) const {
        const auto cut = [&](const std::vector<double>& v) {
            return std::vector<double>(v.begin() + first * T, v.begin() + (first + count) * T);
        };
        return {cut(inputs), cut(targets), count, T};
    }
};
inline Text random_text(std::int64_t B, std::int64_t T, int vocab) {
    const Random random(1, "text");
    Text text{std::vector<double>(B * T), std::vector<double>(B * T), B, T};
    for (std::int64_t i = 0; i < B * T; ++i) {
        text.inputs[i] = double(random.below(vocab, 2 * i));
        text.targets[i] = double(random.below(vocab, 2 * i + 1));
    }
    return text;
}

class ModelRig {
public:
    ModelRig(const Gpt2Config& config, DType compute, const Gpt2Weights& weights, std::int64_t sequences,
             Device device = the_device())
        : model(config, compute), config_(config) {
        Layout activations;
        model.plan(activations, sequences);
        memory_ = activations.allocate(device);
        // Activations may hold anything.
        const std::vector<std::byte> anything(memory_.bytes(), std::byte{0xFF});
        copy_to_device(device, memory_.data(), anything.data(), memory_.bytes());
        model.bind(device);
        for (const ParamSpec& spec : model.parameters()) {
            if (copy_dtype(spec, compute) == DType::bf16)
                weights_.push_back(narrow_.emplace_back(spec.shape, weights.at(spec.name)));
            else
                weights_.push_back(wide_.emplace_back(spec.shape, weights.at(spec.name)));
            gradients_.push_back(gradient_values_.emplace_back(spec.shape));
        }
    }

    ModelRig(const ModelRig&) = delete;
    ModelRig& operator=(const ModelRig&) = delete;

    float gradient(const Text& text, float scale, bool accumulate = false) {
        return call(text, [&](const MicroBatch& batch) {
            model.gradient(weights_, batch, gradients_, loss_, scale, accumulate);
        });
    }
    float loss(const Text& text, float scale, bool accumulate = false) {
        return call(text, [&](const MicroBatch& batch) { model.loss(weights_, batch, loss_, scale, accumulate); });
    }
    std::vector<float> next_token_logits(const std::vector<double>& tokens) {
        Guarded<std::int32_t> prompt({1, std::int64_t(tokens.size())}, tokens);
        Guarded<float> logits({config_.padded_vocab()});
        model.next_token_logits(weights_, prompt, logits);
        EXPECT_TRUE(logits.guards_intact());
        return logits.values();
    }

    std::vector<float> gradient_of(std::size_t i) const { return gradient_values_[i].values(); }
    // All of them, in table order.
    std::vector<float> gradients() const {
        std::vector<float> all;
        for (const auto& g : gradient_values_) {
            const std::vector<float> values = g.values();
            all.insert(all.end(), values.begin(), values.end());
        }
        return all;
    }
    const std::vector<ParamSpec>& specs() const { return model.parameters(); }

    Gpt2 model;

private:
    float call(const Text& text, auto&& with) {
        Guarded<std::int32_t> inputs({text.B, text.T}, text.inputs), targets({text.B, text.T}, text.targets);
        with(MicroBatch{.inputs = inputs, .targets = targets});
        EXPECT_TRUE(loss_.guards_intact());
        for (std::size_t i = 0; i < gradient_values_.size(); ++i)
            EXPECT_TRUE(gradient_values_[i].guards_intact()) << specs()[i].name;
        return loss_.values()[0];
    }

    Gpt2Config config_;
    Buffer memory_;
    std::deque<Guarded<float>> wide_, gradient_values_;
    std::deque<Guarded<bf16>> narrow_;
    std::vector<Tensor> weights_, gradients_;
    Guarded<float> loss_{Shape{1}};
};

}  // namespace steepest::testing
