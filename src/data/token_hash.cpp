#include "data/token_hash.h"

#include "core/hash.h"

#include <cassert>
#include <vector>

namespace steepest {

std::uint64_t sample_hash(std::span<const std::int32_t> inputs, std::span<const std::int32_t> targets) {
    return Hash64().update(inputs.data(), inputs.size_bytes()).update(targets.data(), targets.size_bytes()).digest();
}

void sample_hashes(const Batch& batch, std::span<std::uint64_t> hashes) {
    const auto B = static_cast<std::size_t>(batch.inputs.shape[0]), T = static_cast<std::size_t>(batch.inputs.shape[1]);
    assert(hashes.size() == B);
    const auto* inputs = batch.inputs.as<std::int32_t>();
    const auto* targets = batch.targets.as<std::int32_t>();
    for (std::size_t b = 0; b < B; ++b) hashes[b] = sample_hash({inputs + b * T, T}, {targets + b * T, T});
}

std::uint64_t chain_hashes(std::uint64_t chain, std::span<const std::uint64_t> hashes) {
    for (const std::uint64_t hash : hashes) chain = hash64(&hash, sizeof hash, chain);
    return chain;
}

void TokenStreamHash::add(const Batch& batch) {
    std::vector<std::uint64_t> hashes(batch.inputs.shape[0]);
    sample_hashes(batch, hashes);
    add(hashes);
}

}  // namespace steepest
