#include "train/sampler.h"

#include "core/error.h"
#include "core/json.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace steepest {

std::int32_t pick_token(std::span<const float> logits, const SamplingRule& rule, double uniform) {
    std::vector<std::int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    // Ties go to the lower token, so that the choice is defined.
    const auto likelier = [&](std::int32_t a, std::int32_t b) {
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    };
    const std::size_t kept = rule.temperature == 0 ? 1
                             : rule.top_k > 0      ? std::min<std::size_t>(rule.top_k, order.size())
                                                   : order.size();
    std::partial_sort(order.begin(), order.begin() + kept, order.end(), likelier);
    if (kept == 1) return order[0];

    std::vector<double> cumulative(kept);
    double total = 0;
    for (std::size_t i = 0; i < kept; ++i)
        cumulative[i] = total += std::exp((double(logits[order[i]]) - logits[order[0]]) / rule.temperature);
    const auto at = std::upper_bound(cumulative.begin(), cumulative.end(), uniform * total);
    return order[std::min<std::size_t>(at - cumulative.begin(), kept - 1)];
}

std::vector<std::int32_t> prompt_of(const SamplingConfig& config) {
    return config.prompt_tokens.empty() ? bytes_to_tokens(config.prompt) : config.prompt_tokens;
}

std::string valid_utf8(const std::string& bytes) {
    const std::string text = Json(bytes).dump(-1, ' ', false, Json::error_handler_t::replace);
    return Json::parse(text).get<std::string>();
}

Sampler::Sampler(Gpt2& model, const Gpt2Config& config)
    : model_(model), vocab_(config.vocab), padded_vocab_(config.padded_vocab()), context_(config.context) {}

void Sampler::plan(Layout& scratch) {
    scratch.add("sampling/tokens", &tokens_, DType::i32, {1, context_});
    scratch.add("sampling/logits", &logits_, DType::f32, {padded_vocab_});
}

std::vector<std::int32_t> Sampler::sample(std::span<const Tensor> weights, std::vector<std::int32_t> text, int count,
                                          const SamplingRule& rule, const Random& random,
                                          const std::function<void(std::int32_t)>& emit) {
    if (text.empty()) throw InputError("cannot sample after an empty prompt");
    for (const std::int32_t token : text)
        if (token < 0 || token >= vocab_)
            throw InputError("the prompt has token " + std::to_string(token) + "; the vocabulary has " +
                             std::to_string(vocab_));
    const std::size_t start = text.size();
    std::vector<float> logits(vocab_);
    for (int i = 0; i < count; ++i) {
        const std::int64_t seen = std::min<std::int64_t>(context_, static_cast<std::int64_t>(text.size()));
        const Tensor tokens(tokens_.data, DType::i32, {1, seen});
        copy_to_device(device_, tokens.data, text.data() + text.size() - seen, tokens.bytes());
        model_.next_token_logits(weights, tokens, logits_);
        copy_to_host(device_, logits.data(), logits_.data, static_cast<std::int64_t>(vocab_ * sizeof(float)));
        text.push_back(pick_token(logits, rule, random.uniform(i)));
        if (emit) emit(text.back());
    }
    return {text.begin() + start, text.end()};
}

}  // namespace steepest
