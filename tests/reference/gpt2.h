#pragma once
// GPT-2 in double, one parameter name at a time, as Hugging Face's modeling_gpt2.py computes it: Radford et al. 2019.
// Only the forward pass: gradients are judged by its finite differences.
#include "tests/reference/attention.h"
#include "tests/reference/cross_entropy.h"
#include "tests/reference/embedding.h"
#include "tests/reference/gelu.h"
#include "tests/reference/layernorm.h"
#include "tests/reference/matmul.h"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace steepest::testing {

// By Hugging Face's names, matrices [d_out, d_in]. A bias that is missing is zero; a missing lm_head.weight is
// wte.weight.
using Gpt2Weights = std::map<std::string, std::vector<double>>;

struct Gpt2Sizes {
    std::size_t layers, heads, width, vocab;
};

class Gpt2Reference {
public:
    // `weights` must outlive the reference; they may change between calls.
    Gpt2Reference(const Gpt2Sizes& sizes, const Gpt2Weights& weights) : sizes_(sizes), weights_(weights) {}

    // tokens (B, T) -> logits (B T, vocab).
    std::vector<double> logits(const std::vector<double>& tokens, std::size_t T) const {
        const std::size_t C = sizes_.width;
        std::vector<double> x = embedding_reference(tokens, get("wte.weight"), get("wpe.weight"), T, C);
        for (std::size_t l = 0; l < sizes_.layers; ++l) {
            const std::string h = "h." + std::to_string(l) + ".";
            const AttentionSizes attention{.B = tokens.size() / T, .T = T, .C = C, .heads = sizes_.heads};
            const std::vector<double> qkv = linear(h + "attn.c_attn", norm(h + "ln_1", x), 3 * C);
            add(x, linear(h + "attn.c_proj", attention_reference(qkv, attention).out, C));
            std::vector<double> hidden = linear(h + "mlp.c_fc", norm(h + "ln_2", x), 4 * C);
            for (double& v : hidden) v = gelu_reference(v);
            add(x, linear(h + "mlp.c_proj", hidden, C));
        }
        const std::vector<double>& head =
            weights_.contains("lm_head.weight") ? get("lm_head.weight") : get("wte.weight");
        return linear_reference(norm("ln_f", x), head, tokens.size(), C, sizes_.vocab).value;
    }

    // The sum of the losses of all targets.
    double loss(const std::vector<double>& tokens, const std::vector<double>& targets, std::size_t T) const {
        double sum = 0;
        for (const double loss :
             cross_entropy_reference(logits(tokens, T), targets, sizes_.vocab, sizes_.vocab, 1).loss)
            sum += loss;
        return sum;
    }

private:
    const std::vector<double>& get(const std::string& name) const { return weights_.at(name); }
    std::vector<double> bias(const std::string& module) const {
        const auto found = weights_.find(module + ".bias");
        return found == weights_.end() ? std::vector<double>{} : found->second;
    }
    std::vector<double> norm(const std::string& module, const std::vector<double>& x) const {
        return layernorm_reference(x, get(module + ".weight"), bias(module), 1e-5).y;
    }
    std::vector<double> linear(const std::string& module, const std::vector<double>& x, std::size_t out) const {
        const std::vector<double>& weight = get(module + ".weight");
        const std::size_t in = weight.size() / out;
        std::vector<double> y = linear_reference(x, weight, x.size() / in, in, out).value;
        const std::vector<double> b = bias(module);
        for (std::size_t i = 0; i < y.size() && !b.empty(); ++i) y[i] += b[i % out];
        return y;
    }
    static void add(std::vector<double>& x, const std::vector<double>& y) {
        for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    }

    Gpt2Sizes sizes_;
    const Gpt2Weights& weights_;
};

}  // namespace steepest::testing
