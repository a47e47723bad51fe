#include "model/gpt2_params.h"

#include <cmath>

namespace steepest {

Gpt2Table gpt2_table(const Gpt2Config& config) {
    const std::int64_t V = config.padded_vocab(), T = config.context, C = config.width;
    const Init normal{.deviation = 0.02f}, residual{.deviation = 0.02f / std::sqrt(2.0f * config.layers)};

    Gpt2Table table;
    auto& specs = table.specs;
    const auto add = [&](ParamSpec spec) {
        specs.push_back(std::move(spec));
        return static_cast<int>(specs.size()) - 1;
    };
    const auto operand = [&](ParamSpec spec) {
        spec.follows_compute = true;
        return add(std::move(spec));
    };
    const auto norm_bias = [&](const std::string& name) { return config.bias ? add({name, {C}, Role::bias, {}}) : -1; };
    const auto bias = [&](const std::string& name, std::int64_t n) {
        return config.bias ? operand({name, {n}, Role::bias, {}}) : -1;
    };
    const auto gain = [&](const std::string& name) { return add({name, {C}, Role::gain, {.mean = 1}}); };
    const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t cols, Init init, int blocks = 1) {
        return operand({name, {rows, cols}, Role::matrix, init, blocks});
    };
    const std::int64_t padding = V - config.vocab;
    table.wte = operand({"wte.weight", {V, C}, Role::embedding, normal, 1, padding});
    table.wpe = operand({"wpe.weight", {T, C}, Role::position, normal});
    for (int l = 0; l < config.layers; ++l) {
        const std::string h = "h." + std::to_string(l) + ".";
        Gpt2Layer p{};
        p.ln_1 = gain(h + "ln_1.weight");
        p.ln_1_bias = norm_bias(h + "ln_1.bias");
        p.qkv = matrix(h + "attn.c_attn.weight", 3 * C, C, normal, 3);
        p.qkv_bias = bias(h + "attn.c_attn.bias", 3 * C);
        p.attention_proj = matrix(h + "attn.c_proj.weight", C, C, residual);
        p.attention_proj_bias = bias(h + "attn.c_proj.bias", C);
        p.ln_2 = gain(h + "ln_2.weight");
        p.ln_2_bias = norm_bias(h + "ln_2.bias");
        p.fc = matrix(h + "mlp.c_fc.weight", 4 * C, C, normal);
        p.fc_bias = bias(h + "mlp.c_fc.bias", 4 * C);
        p.mlp_proj = matrix(h + "mlp.c_proj.weight", C, 4 * C, residual);
        p.mlp_proj_bias = bias(h + "mlp.c_proj.bias", C);
        table.layers.push_back(p);
    }
    table.ln_f = gain("ln_f.weight");
    table.ln_f_bias = norm_bias("ln_f.bias");
    table.head = config.tied ? table.wte : operand({"lm_head.weight", {V, C}, Role::head, normal, 1, padding});
    return table;
}

}  // namespace steepest
