#pragma once
// The parameter table: what a problem declares and everything else reads (initialisation, optimizer groups,
// checkpoints, counts). Problems and optimizers never see each other; they meet in the trainer as this table.
#include "core/tensor.h"

#include <string>

namespace steepest {

// What a parameter does in the network; optimizer groups match on it.
enum class Role { embedding, position, head, matrix, gain, bias };

constexpr std::string_view name_of(Role r) {
    switch (r) {
        case Role::embedding:
            return "embedding";
        case Role::position:
            return "position";
        case Role::head:
            return "head";
        case Role::matrix:
            return "matrix";
        case Role::gain:
            return "gain";
        case Role::bias:
            return "bias";
    }
    return "";
}

// How a parameter starts: every element `mean`, plus `deviation` times a standard normal keyed by (seed, name,
// element).
struct Init {
    float mean = 0, deviation = 0;
};

struct ParamSpec {
    std::string name;  // Hugging Face's, e.g. h.0.attn.c_attn.weight
    Shape shape;       // matrices are [d_out, d_in]
    Role role;
    Init init;
    // Equal row blocks that are matrices of their own to an optimizer with split_qkv: 3 for c_attn.
    int row_blocks = 1;
    // Rows of the matrix that exist for alignment only: they start at zero and get no gradient, so they stay zero.
    std::int64_t padding_rows = 0;
    // Whether ops read it in the compute precision: matrices, embeddings and the biases of products. What norms read
    // stays f32.
    bool follows_compute = false;
};

// One parameter's memory. `copy` is what the ops read: the master itself, or its bf16 rounding.
struct Parameter {
    const ParamSpec* spec;
    Tensor master;    // f32
    Tensor copy;      // f32 (the same memory as master) or bf16
    Tensor gradient;  // f32; after the optimizer has read it, it holds the direction
};

}  // namespace steepest
