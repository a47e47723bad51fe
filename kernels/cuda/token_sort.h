#pragma once
// Positions sorted by their token, stably: what makes sums over a token's positions deterministic without atomics on
// floats.
#include "kernels/cuda/gpu.h"

#include <cstdint>

namespace steepest::cuda {

// tokens[i] ascending; positions[i] is where it came from, ascending among equal tokens.
struct SortedTokens {
    const std::int32_t *tokens, *positions;
};

// Bytes of scratch that sort_tokens() needs for `count` tokens, a multiple of 256.
std::int64_t token_sort_bytes(std::int64_t count);
// Sorts tokens in [0, vocabulary) into `scratch`, where the result stays. count < 2^31.
SortedTokens sort_tokens(Cuda& cuda, const std::int32_t* tokens, std::int64_t count, std::int64_t vocabulary,
                         void* scratch);

}  // namespace steepest::cuda
