#pragma once
// How lists of tensors are cut into pieces of work, by shape alone, and the memory of the small tables that this takes.
#include "core/tensor.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/scratch.h"

#include <algorithm>
#include <cstdint>

namespace steepest::cpu {

// Elements of a chunk: large enough that handing it out costs nothing, small enough that four arrays of it share an L2.
constexpr std::int64_t kChunk = std::int64_t{1} << 16;

struct Chunk {
    std::size_t tensor;
    std::int64_t begin, count;  // elements of that tensor
};

// The chunks of a list: no chunk spans two tensors; chunks are numbered in the list's order. One list at a time a
// thread, because the table is the thread's scratch.
class Chunks {
public:
    explicit Chunks(const TensorList& list)
        : list_(list), starts_(scratch<Chunks, std::int64_t>(static_cast<std::int64_t>(list.size()) + 1)) {
        starts_[0] = 0;
        for (std::size_t i = 0; i < list.size(); ++i)
            starts_[i + 1] = starts_[i] + (list[i].count() + kChunk - 1) / kChunk;
    }
    std::int64_t size() const { return starts_[list_.size()]; }
    // Of tensor i: [first(i), first(i + 1)).
    std::int64_t first(std::size_t tensor) const { return starts_[tensor]; }
    Chunk operator[](std::int64_t i) const {
        const auto tensor =
            static_cast<std::size_t>(std::upper_bound(starts_, starts_ + list_.size() + 1, i) - starts_ - 1);
        const std::int64_t at = (i - starts_[tensor]) * kChunk;
        return {tensor, at, std::min(kChunk, list_[tensor].count() - at)};
    }

private:
    const TensorList& list_;
    std::int64_t* starts_;
};

template <class F>
void for_each_chunk(const Cpu& cpu, const TensorList& list, F&& f) {
    const Chunks chunks(list);
    cpu.parallel_for(chunks.size(), [&](std::int64_t i) { f(chunks[i]); });
}

// f(chunk) of every chunk, in double, numbered as in `chunks`; valid until the calling thread asks again.
template <class F>
const double* for_each_chunk_sum(const Cpu& cpu, const Chunks& chunks, F&& f) {
    double* sums = scratch<struct ChunkSums, double>(chunks.size());
    cpu.parallel_for(chunks.size(), [&](std::int64_t i) { sums[i] = f(chunks[i]); });
    return sums;
}

// f(begin, count) for the chunks of [0, n) of one array.
template <class F>
void for_each_chunk(const Cpu& cpu, std::int64_t n, F&& f) {
    cpu.parallel_for((n + kChunk - 1) / kChunk,
                     [&](std::int64_t i) { f(i * kChunk, std::min(kChunk, n - i * kChunk)); });
}

// As above, with the values of f added up in order.
template <class F>
double sum_over_chunks(const Cpu& cpu, std::int64_t n, F&& f) {
    const std::int64_t chunks = (n + kChunk - 1) / kChunk;
    double* sums = scratch<struct ChunkSums, double>(chunks);
    for_each_chunk(cpu, n, [&](std::int64_t begin, std::int64_t count) { sums[begin / kChunk] = f(begin, count); });
    double total = 0;
    for (std::int64_t i = 0; i < chunks; ++i) total += sums[i];
    return total;
}

}  // namespace steepest::cpu
