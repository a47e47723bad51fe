#pragma once
// Sampling: the model continues a text, token by token.
#include "core/memory.h"
#include "core/random.h"
#include "model/gpt2.h"
#include "train/run_config.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace steepest {

struct SamplingRule {
    double temperature = 1;  // 0: the likeliest token
    int top_k = 0;           // 0: all tokens
};

// The token that `uniform` in [0, 1) picks from softmax(logits / temperature), restricted to the top_k likeliest.
std::int32_t pick_token(std::span<const float> logits, const SamplingRule& rule, double uniform);

// The prompt as token ids: prompt_tokens, or the prompt's bytes.
std::vector<std::int32_t> prompt_of(const SamplingConfig& config);
// The text with every byte that is no UTF-8 as U+FFFD: a model may write half a character, and JSON may not hold it.
std::string valid_utf8(const std::string& bytes);

class Sampler {
public:
    Sampler(Gpt2& model, const Gpt2Config& config);
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    void plan(Layout& scratch);
    void bind(Device device) { device_ = device; }
    // `count` tokens after `prompt` (not empty); past the context, the model sees the last `context` tokens. Draw i
    // uses random.uniform(i). `emit`, where given, gets each token as it comes.
    std::vector<std::int32_t> sample(std::span<const Tensor> weights, std::vector<std::int32_t> prompt, int count,
                                     const SamplingRule& rule, const Random& random,
                                     const std::function<void(std::int32_t)>& emit = {});

private:
    Gpt2& model_;
    std::int64_t vocab_, padded_vocab_, context_;
    Device device_{};
    Tensor tokens_, logits_;
};

}  // namespace steepest
