// The parameter table: the public names and sizes of GPT-2.
#include "model/gpt2_params.h"

#include <cmath>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace steepest::testing {

namespace {

std::int64_t parameter_count(const Gpt2Config& config) {
    std::int64_t total = 0;
    for (const ParamSpec& spec : gpt2_table(config).specs)
        total += spec.shape.count() - spec.padding_rows * spec.shape.cols();
    return total;
}

Gpt2Config sizes(int layers, int heads, int width) {
    Gpt2Config config;
    config.layers = layers, config.heads = heads, config.width = width;
    return config;
}

// As Hugging Face's checkpoints count them.
TEST(Gpt2Table, HasThePublishedNumberOfParameters) {
    EXPECT_EQ(parameter_count(sizes(12, 12, 768)), 124439808);
    EXPECT_EQ(parameter_count(sizes(24, 16, 1024)), 354823168);
    EXPECT_EQ(parameter_count(sizes(36, 20, 1280)), 774030080);
    EXPECT_EQ(parameter_count(sizes(48, 25, 1600)), 1557611200);
}

TEST(Gpt2Table, NamesShapesAndRoles) {
    Gpt2Config config = sizes(1, 2, 8);
    config.context = 5, config.vocab = 100;
    std::string text;
    for (const ParamSpec& s : gpt2_table(config).specs)
        text += s.name + " " + to_string(s.shape) + " " + std::string(name_of(s.role)) + "\n";
    const auto shape = [](Shape s) { return to_string(s); };
    EXPECT_EQ(text, "wte.weight " + shape({128, 8}) + " embedding\n" +   //
                        "wpe.weight " + shape({5, 8}) + " position\n" +  //
                        "h.0.ln_1.weight " + shape({8}) + " gain\n" +    //
                        "h.0.ln_1.bias " + shape({8}) + " bias\n" +      //
                        "h.0.attn.c_attn.weight " + shape({24, 8}) + " matrix\n" + "h.0.attn.c_attn.bias " +
                        shape({24}) + " bias\n" +  //
                        "h.0.attn.c_proj.weight " + shape({8, 8}) + " matrix\n" + "h.0.attn.c_proj.bias " + shape({8}) +
                        " bias\n" +                                    //
                        "h.0.ln_2.weight " + shape({8}) + " gain\n" +  //
                        "h.0.ln_2.bias " + shape({8}) + " bias\n" +    //
                        "h.0.mlp.c_fc.weight " + shape({32, 8}) + " matrix\n" + "h.0.mlp.c_fc.bias " + shape({32}) +
                        " bias\n" +  //
                        "h.0.mlp.c_proj.weight " + shape({8, 32}) + " matrix\n" + "h.0.mlp.c_proj.bias " + shape({8}) +
                        " bias\n" +                                //
                        "ln_f.weight " + shape({8}) + " gain\n" +  //
                        "ln_f.bias " + shape({8}) + " bias\n");
}

TEST(Gpt2Table, ModelsWithoutBiasesAndWithAHeadOfTheirOwn) {
    Gpt2Config config = sizes(2, 2, 8);
    config.bias = false, config.tied = false;
    const Gpt2Table table = gpt2_table(config);
    for (const ParamSpec& spec : table.specs) EXPECT_NE(spec.role, Role::bias) << spec.name;
    EXPECT_EQ(table.specs.size(), 3u + 2 * 6 + 1);
    EXPECT_EQ(table.specs[table.head].name, "lm_head.weight");
    EXPECT_EQ(table.specs[table.head].role, Role::head);
    EXPECT_EQ(table.ln_f_bias, -1);
    EXPECT_EQ(table.layers[1].qkv_bias, -1);

    config.tied = true;
    EXPECT_EQ(gpt2_table(config).head, gpt2_table(config).wte);
}

// N(0, 0.02); what is added to the residual stream / sqrt(2 L); gains 1, biases 0.
TEST(Gpt2Table, Initialisation) {
    for (const ParamSpec& spec : gpt2_table(sizes(12, 12, 768)).specs) {
        const bool residual = spec.name.ends_with("c_proj.weight");
        const double deviation = spec.shape.rank() == 1 ? 0 : residual ? 0.02 / std::sqrt(24.0) : 0.02;
        EXPECT_FLOAT_EQ(spec.init.deviation, float(deviation)) << spec.name;
        EXPECT_EQ(spec.init.mean, spec.role == Role::gain ? 1 : 0) << spec.name;
        EXPECT_EQ(spec.row_blocks, spec.name.ends_with("c_attn.weight") ? 3 : 1) << spec.name;
        EXPECT_EQ(spec.padding_rows, spec.role == Role::embedding ? 50304 - 50257 : 0) << spec.name;
    }
}

TEST(Gpt2Config, VocabulariesArePaddedToMultiplesOf128) {
    for (const auto& [vocab, padded] : {std::pair{2, 128}, {127, 128}, {128, 128}, {129, 256}, {50257, 50304}}) {
        Gpt2Config config;
        config.vocab = vocab;
        EXPECT_EQ(config.padded_vocab(), padded);
        EXPECT_EQ(gpt2_table(config).specs[0].padding_rows, padded - vocab);
    }
}

}  // namespace

}  // namespace steepest::testing
