#pragma once
// The sizes of a GPT-2 and what it may spend to hold its activations.
#include "core/field.h"

#include <cstdint>
#include <string>

namespace steepest {

struct Gpt2Config {
    std::string name, description;
    int layers = 12, heads = 12, width = 768, context = 1024, vocab = 50257;
    bool bias = true, tied = true;
    std::string recompute = "none";
    int head_rows = 0;

    void fields(auto& f) {
        f("name", name, "the preset's own name, for logs and tables");
        f("description", description, "one line for lists of presets");
        f("layers", layers, "transformer blocks, L", Range<int>{1, 1000});
        f("heads", heads, "attention heads, H", Range<int>{1, 1000});
        f("width", width, "model width, C; a multiple of heads", Range<int>{1, 1 << 16});
        f("context", context, "tokens a sequence, T", Range<int>{1, 1 << 20});
        f("vocab", vocab, "token ids, V; 257 for plain text; token shards hold 16-bit ids", Range<int>{2, 65536});
        f("bias", bias, "whether linear layers and norms have biases");
        f("tied", tied, "whether the head is the token embedding");
        f("recompute", recompute,
          "activations computed again in the backward pass to save memory: none, cheap (norms and gelu), block (all)",
          OneOf{"none", "cheap", "block"});
        f("head_rows", head_rows,
          "rows of logits held at a time; 0: as many as 2^25 logits allow, or an eighth of a batch",
          Range<int>{0, 1 << 24});
    }
    void check(auto&& error) const {
        if (heads > 0 && width % heads)
            error("/heads", std::to_string(heads) + " does not divide width " + std::to_string(width));
    }

    // Rows of the token embedding: a multiple of 128 suits every matrix unit. Padding rows stay zero.
    std::int64_t padded_vocab() const { return (std::int64_t{vocab} + 127) / 128 * 128; }
};

}  // namespace steepest
