#pragma once
// A running hash of the tokens a run has seen, in order: two runs whose logs agree on it saw the same data. It depends
// on samples and their order only, not on how they were cut into micro-batches and ranks.
#include "data/samples.h"

#include <cstdint>
#include <span>

namespace steepest {

// Of one sample, T tokens each.
std::uint64_t sample_hash(std::span<const std::int32_t> inputs, std::span<const std::int32_t> targets);

// The hash of each sample of a batch, in order, for ranks to gather. `hashes` has B elements.
void sample_hashes(const Batch& batch, std::span<std::uint64_t> hashes);

// The chain after these samples, in order: chain_hashes(chain_hashes(c, a), b) equals chain_hashes(c, a then b).
std::uint64_t chain_hashes(std::uint64_t chain, std::span<const std::uint64_t> hashes);

// The chain of one run. A checkpoint keeps state() and hands it to the constructor.
class TokenStreamHash {
public:
    explicit TokenStreamHash(std::uint64_t state = 0) : state_(state) {}

    void add(std::span<const std::uint64_t> hashes) { state_ = chain_hashes(state_, hashes); }
    void add(const Batch& batch);
    std::uint64_t state() const { return state_; }

private:
    std::uint64_t state_;
};

}  // namespace steepest
