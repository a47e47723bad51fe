#pragma once
// GPT-2's parameter table, and where in it each op finds its weights.
#include "core/parameter.h"
#include "model/gpt2_config.h"

#include <vector>

namespace steepest {

// Indices into the table; -1 for a bias the model does without.
struct Gpt2Layer {
    int ln_1, ln_1_bias, qkv, qkv_bias, attention_proj, attention_proj_bias;
    int ln_2, ln_2_bias, fc, fc_bias, mlp_proj, mlp_proj_bias;
};

struct Gpt2Table {
    std::vector<ParamSpec> specs;
    int wte, wpe, ln_f, ln_f_bias, head;  // head is wte if tied
    std::vector<Gpt2Layer> layers;
};

// In checkpoint order, layer by layer. Names are Hugging Face's; matrices are [d_out, d_in], which is the transpose of
// what Hugging Face's Conv1D stores. Init: Radford et al. 2019, section 2.3: N(0, 0.02), residual projections / sqrt(2
// L).
Gpt2Table gpt2_table(const Gpt2Config& config);

}  // namespace steepest
