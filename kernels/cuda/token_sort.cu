// Radix sort, least significant digit first, eight bits a pass: two passes up to 65,536 tokens, one for bytes. Each
// pass is three launches: digits are counted for each tile of 2,048 positions; each digit's counts become its tiles'
// offsets; each tile's positions are ranked and written. Knuth, The Art of Computer Programming 3, 5.2.5; ranks within
// a warp from ballots, as Merrill and Grimshaw 2011, "High performance and scalable radix sorting".
//
// Integers only, so shared-memory atomics do not make the result depend on an order. Moves 20 bytes a position and
// pass; a batch is small enough that launches, not memory, are the limit.
#include "kernels/cuda/token_sort.h"

#include <algorithm>

namespace steepest::cuda {

namespace {

constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
constexpr int kThreads = kDigits;  // a thread a digit where digits are worked on
constexpr int kWarps = kThreads / kWarp;
constexpr int kRounds = 8;  // of 32 positions a warp
constexpr int kTile = kThreads * kRounds;

struct Pass {
    const std::int32_t *tokens, *positions;  // positions null: 0, 1, 2...
    std::int32_t *sorted_tokens, *sorted_positions;
    std::int32_t* offsets;  // (digits, tiles)
    std::int32_t* totals;   // (digits)
    std::int32_t count, tiles;
    int shift;

    __device__ int digit(std::int32_t token) const { return token >> shift & (kDigits - 1); }
};

__global__ void __launch_bounds__(kThreads) count_digits(const Pass pass) {
    __shared__ int counts[kDigits];
    counts[threadIdx.x] = 0;
    __syncthreads();
    const std::int64_t begin = std::int64_t{blockIdx.x} * kTile;
    for (int r = 0; r < kRounds; ++r) {
        const std::int64_t i = begin + r * kThreads + threadIdx.x;
        if (i < pass.count) atomicAdd(&counts[pass.digit(pass.tokens[i])], 1);
    }
    __syncthreads();
    pass.offsets[std::int64_t{threadIdx.x} * pass.tiles + blockIdx.x] = counts[threadIdx.x];
}

// Sum of x over the threads before this one, and over all of them. 256 threads.
__device__ int2 exclusive_sum(int x) {
    __shared__ int warp_totals[kWarps];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    int inclusive = x;
    for (int step = 1; step < kWarp; step *= 2) {
        const int before = __shfl_up_sync(kAllLanes, inclusive, step);
        if (lane >= step) inclusive += before;
    }
    __syncthreads();  // all have read the last call's
    if (lane == kWarp - 1) warp_totals[warp] = inclusive;
    __syncthreads();
    int before = 0, total = 0;
    for (int w = 0; w < kWarps; ++w) {
        if (w < warp) before += warp_totals[w];
        total += warp_totals[w];
    }
    return {before + inclusive - x, total};
}

// A digit's counts in each tile become the counts of the tiles before. A block a digit.
__global__ void __launch_bounds__(kThreads) sum_tiles(const Pass pass) {
    std::int32_t* row = pass.offsets + std::int64_t{blockIdx.x} * pass.tiles;
    int before = 0;
    for (int first = 0; first < pass.tiles; first += kThreads) {
        const int tile = first + threadIdx.x;
        const int2 sums = exclusive_sum(tile < pass.tiles ? row[tile] : 0);
        if (tile < pass.tiles) row[tile] = before + sums.x;
        before += sums.y;
    }
    if (threadIdx.x == 0) pass.totals[blockIdx.x] = before;
}

// Lanes of the warp whose digit is this lane's.
__device__ unsigned lanes_alike(int digit, unsigned valid) {
    unsigned alike = valid;
    for (int bit = 0; bit < kDigitBits; ++bit) {
        const bool set = digit >> bit & 1;
        const unsigned lanes = __ballot_sync(kAllLanes, set);
        alike &= set ? lanes : ~lanes;
    }
    return alike;
}

// Each warp takes 256 consecutive positions, 32 at a time and in order, so that equal digits keep their order.
__global__ void __launch_bounds__(kThreads) scatter(const Pass pass) {
    __shared__ int next[kWarps][kDigits];  // first how often the warp has met the digit, then where its first goes
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    for (int w = 0; w < kWarps; ++w) next[w][threadIdx.x] = 0;
    __syncthreads();

    const std::int64_t begin = std::int64_t{blockIdx.x} * kTile + warp * kRounds * kWarp + lane;
    std::int32_t tokens[kRounds];
    int ranks[kRounds];
#pragma unroll
    for (int r = 0; r < kRounds; ++r) {
        const std::int64_t i = begin + r * kWarp;
        const bool valid = i < pass.count;
        tokens[r] = valid ? pass.tokens[i] : 0;
        const int digit = pass.digit(tokens[r]);
        const unsigned alike = lanes_alike(digit, __ballot_sync(kAllLanes, valid));
        const int met = next[warp][digit];
        ranks[r] = met + __popc(alike & ((1u << lane) - 1));
        __syncwarp();
        if (valid && (alike >> lane) == 1) next[warp][digit] = ranks[r] + 1;  // the last of those alike
        __syncwarp();
    }
    __syncthreads();

    const int digit = threadIdx.x;
    int first = exclusive_sum(pass.totals[digit]).x + pass.offsets[std::int64_t{digit} * pass.tiles + blockIdx.x];
    for (int w = 0; w < kWarps; ++w) {
        const int met = next[w][digit];
        next[w][digit] = first;
        first += met;
    }
    __syncthreads();

#pragma unroll
    for (int r = 0; r < kRounds; ++r) {
        const std::int64_t i = begin + r * kWarp;
        if (i >= pass.count) continue;
        const int to = next[warp][pass.digit(tokens[r])] + ranks[r];
        pass.sorted_tokens[to] = tokens[r];
        pass.sorted_positions[to] = pass.positions ? pass.positions[i] : static_cast<std::int32_t>(i);
    }
}

// How the scratch is divided.
struct Arrays {
    std::int64_t tiles, array, offsets, totals, bytes;

    explicit Arrays(std::int64_t count) : tiles(divide_up(count, kTile)) {
        const auto ints = [](std::int64_t n) { return divide_up(n, 64) * 64; };
        array = ints(count), offsets = ints(tiles * kDigits), totals = kDigits;
        bytes = (4 * array + offsets + totals) * static_cast<std::int64_t>(sizeof(std::int32_t));
    }
};

}  // namespace

std::int64_t token_sort_bytes(std::int64_t count) { return Arrays(count).bytes; }

SortedTokens sort_tokens(Cuda& cuda, const std::int32_t* tokens, std::int64_t count, std::int64_t vocabulary,
                         void* scratch) {
    const Arrays arrays(count);
    auto* memory = static_cast<std::int32_t*>(scratch);
    std::int32_t* const offsets = memory + 4 * arrays.array;
    Pass pass{.tokens = tokens,
              .positions = nullptr,
              .sorted_tokens = memory,
              .sorted_positions = memory + arrays.array,
              .offsets = offsets,
              .totals = offsets + arrays.offsets,
              .count = static_cast<std::int32_t>(count),
              .tiles = static_cast<std::int32_t>(arrays.tiles),
              .shift = 0};
    const auto tiles = static_cast<unsigned>(arrays.tiles);
    for (int turn = 0;; turn ^= 1) {
        launch(cuda, {tiles, kThreads}, count_digits, pass);
        launch(cuda, {kDigits, kThreads}, sum_tiles, pass);
        launch(cuda, {tiles, kThreads}, scatter, pass);
        if (pass.shift += kDigitBits; pass.shift >= 31 || (vocabulary - 1) >> pass.shift == 0) break;
        pass.tokens = pass.sorted_tokens, pass.positions = pass.sorted_positions;
        pass.sorted_tokens = memory + (turn ? 0 : 2) * arrays.array;
        pass.sorted_positions = pass.sorted_tokens + arrays.array;
    }
    return {pass.sorted_tokens, pass.sorted_positions};
}

}  // namespace steepest::cuda
