// Embedding. Forward: a warp a position, 16 bytes a lane.
//
// Backward of wpe: a lane a group of columns of one position, which adds up the batch in order.
//
// Backward of wte, without atomics: positions are sorted by their token (token_sort.cu), and the sorted list is cut
// into pieces of 64, whatever the tokens. A warp adds up the rows of a piece, in order, for its columns. A token whose
// positions all lie in one piece is added to dwte there; of others each piece leaves a partial sum, and a second kernel
// adds these up in order. So the work is even even if one token of a byte vocabulary is a sixth of all.
//
// Moves: forward 2 rows read (wpe from the caches) and one written a position. Backward reads dy twice, once for each
// table (the minimum would be once), reads and writes the rows of dwte that occur, and in the worst case writes and
// reads partial sums of 8 bytes a column for 64 rows. Limit: the memory; below some 8,192 positions the launches of
// the sort. At most 2^31 - 1 positions.
#include "kernels/cuda/group.h"
#include "kernels/cuda/token_sort.h"
#include "ops/embedding.h"

#include <limits>

namespace steepest {

namespace {

using cuda::Group;
using cuda::kWarp;

constexpr int kWarps = 8;   // of a block
constexpr int kPiece = 64;  // sorted positions a warp adds up
constexpr int kAhead = 8;   // rows under way at once

template <class T, int kWidth>
__global__ void __launch_bounds__(kWarp* kWarps)
    forward(T* y, const std::int32_t* tokens, const T* wte, const T* wpe, int positions, int T_, int groups) {
    const std::int64_t C = std::int64_t{groups} * kWidth, n = std::int64_t{blockIdx.x} * kWarps + threadIdx.y;
    if (n >= positions) return;
    wte += tokens[n] * C, wpe += static_cast<int>(n) % T_ * C, y += n * C;
    for (std::int64_t g = threadIdx.x; g < groups; g += kWarp) {
        const auto a = Group<T, kWidth>::load(wte + g * kWidth), b = Group<T, kWidth>::load(wpe + g * kWidth);
        float sum[kWidth];
#pragma unroll
        for (int j = 0; j < kWidth; ++j) sum[j] = a[j] + b[j];
        Group<T, kWidth>::round(sum).store(y + g * kWidth);
    }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kWarp* kWarps)
    add_to_positions(float* dwpe, const T* dy, std::int64_t rows, int B, int T_, int groups, bool accumulate) {
    const std::int64_t t = std::int64_t{blockIdx.x} * kWarps + threadIdx.y, C = std::int64_t{groups} * kWidth;
    const std::int64_t c = (std::int64_t{blockIdx.y} * kWarp + threadIdx.x) * kWidth;
    if (t >= rows || c >= C || (t >= T_ && accumulate)) return;
    float sum[kWidth] = {};
    if (t < T_) {
#pragma unroll 4
        for (int b = 0; b < B; ++b) {
            const auto row = Group<T, kWidth>::load(dy + (std::int64_t{b} * T_ + t) * C + c);
#pragma unroll
            for (int j = 0; j < kWidth; ++j) sum[j] += row[j];
        }
    }
    dwpe += t * C + c;
    if (accumulate) {
        const auto old = Group<float, kWidth>::load(dwpe);
#pragma unroll
        for (int j = 0; j < kWidth; ++j) sum[j] += old[j];
    }
    Group<float, kWidth>::round(sum).store(dwpe);
}

// --- wte

// The sorted positions, cut into pieces. A token's run is its positions in the list.
struct Pieces {
    cuda::SortedTokens sorted;
    std::int32_t count, pieces;
    // (pieces, 2, C): of a run that began before the piece; of a run that begins in it and goes on after it.
    float* partials;
    std::int64_t C;

    __device__ std::int64_t begin(int piece) const { return std::int64_t{piece} * kPiece; }
    __device__ std::int64_t end(int piece) const { return min(begin(piece) + kPiece, std::int64_t{count}); }
    __device__ std::int32_t token(std::int64_t i) const { return sorted.tokens[i]; }
    // Whether the run at the piece's start began before it, and whether the run at its end goes on.
    __device__ bool continued(int piece) const { return piece > 0 && token(begin(piece) - 1) == token(begin(piece)); }
    __device__ bool goes_on(int piece) const {
        return end(piece) < count && token(end(piece) - 1) == token(end(piece));
    }
    __device__ float* partial(int piece, int which) const { return partials + (std::int64_t{piece} * 2 + which) * C; }
};

template <int kWidth>
__device__ void add_to(float* to, const float (&x)[kWidth]) {
    const auto old = Group<float, kWidth>::load(to);
    float sum[kWidth];
#pragma unroll
    for (int j = 0; j < kWidth; ++j) sum[j] = old[j] + x[j];
    Group<float, kWidth>::round(sum).store(to);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kWarp* kWarps, 2) add_pieces(float* dwte, const T* dy, const Pieces list) {
    const std::int64_t first_piece = std::int64_t{blockIdx.x} * kWarps + threadIdx.y;
    const std::int64_t c = (std::int64_t{blockIdx.y} * kWarp + threadIdx.x) * kWidth;
    if (first_piece >= list.pieces || c >= list.C) return;
    dwte += c, dy += c;
    const int piece = static_cast<int>(first_piece);
    const std::int64_t begin = list.begin(piece);
    const int count = static_cast<int>(list.end(piece) - begin);
    bool continued = list.continued(piece);
    std::int32_t token = list.token(begin);
    float sum[kWidth] = {};
    for (int i = 0; i < count; i += kAhead) {
        Group<T, kWidth> rows[kAhead] = {};
#pragma unroll
        for (int r = 0; r < kAhead; ++r)
            if (i + r < count) rows[r] = Group<T, kWidth>::load(dy + list.sorted.positions[begin + i + r] * list.C);
#pragma unroll
        for (int r = 0; r < kAhead; ++r) {
            if (i + r >= count) break;
            if (const std::int32_t t = list.token(begin + i + r); t != token) {
                if (continued)
                    Group<float, kWidth>::round(sum).store(list.partial(piece, 0) + c);
                else
                    add_to(dwte + token * list.C, sum);
                continued = false, token = t;
#pragma unroll
                for (int j = 0; j < kWidth; ++j) sum[j] = 0;
            }
#pragma unroll
            for (int j = 0; j < kWidth; ++j) sum[j] += rows[r][j];
        }
    }
    if (continued)
        Group<float, kWidth>::round(sum).store(list.partial(piece, 0) + c);
    else if (list.goes_on(piece))
        Group<float, kWidth>::round(sum).store(list.partial(piece, 1) + c);
    else
        add_to(dwte + token * list.C, sum);
}

// A block a piece and 32 lanes' columns; idle unless a run begins in the piece and goes on after it. Its partial sums
// are shared out among the warps, then the warps' sums are added in order.
template <int kWidth>
__global__ void __launch_bounds__(kWarp* kWarps) add_partials(float* dwte, const Pieces list) {
    __shared__ float sums[kWarps][kWarp * kWidth];
    const int first = static_cast<int>(blockIdx.x);
    const std::int32_t token = list.token(list.end(first) - 1);
    if (!list.goes_on(first) || (list.continued(first) && list.token(list.begin(first)) == token)) return;

    int last = first + 1, beyond = list.pieces;  // the last piece that begins with the token
    while (beyond - last > 1) {
        const int middle = last + (beyond - last) / 2;
        if (list.token(list.begin(middle)) == token)
            last = middle;
        else
            beyond = middle;
    }

    const std::int64_t c = (std::int64_t{blockIdx.y} * kWarp + threadIdx.x) * kWidth;
    const int count = last - first + 1, share = (count + kWarps - 1) / kWarps;
    const int begin = first + threadIdx.y * share, end = min(begin + share, last + 1);
    float sum[kWidth] = {};
    if (c < list.C) {
#pragma unroll 4
        for (int piece = begin; piece < end; ++piece) {
            const auto partial = Group<float, kWidth>::load(list.partial(piece, piece == first) + c);
#pragma unroll
            for (int j = 0; j < kWidth; ++j) sum[j] += partial[j];
        }
    }
#pragma unroll
    for (int j = 0; j < kWidth; ++j) sums[threadIdx.y][j * kWarp + threadIdx.x] = sum[j];
    __syncthreads();
    if (threadIdx.y > 0 || c >= list.C) return;
    for (int w = 1; w < kWarps; ++w)
        for (int j = 0; j < kWidth; ++j) sum[j] += sums[w][j * kWarp + threadIdx.x];
    add_to(dwte + token * list.C + c, sum);
}

dim3 blocks(std::int64_t x, std::int64_t groups) {
    return {static_cast<unsigned>(x), static_cast<unsigned>(cuda::divide_up(groups, kWarp))};
}

template <class T, int kWidth>
void backward(Cuda& cuda, const EmbeddingBackward& op) {
    const std::int64_t C = op.dy.shape[2], rows = op.dwpe.shape.rows(), count = op.tokens.count();
    const int B = static_cast<int>(op.dy.shape[0]), T_ = static_cast<int>(op.dy.shape[1]);
    const auto* dy = cuda::data<T>(op.dy);
    const dim3 threads(kWarp, kWarps);
    cuda::launch(cuda, {blocks(cuda::divide_up(rows, kWarps), C / kWidth), threads}, add_to_positions<T, kWidth>,
                 cuda::data<float>(op.dwpe), dy, rows, B, T_, static_cast<int>(C / kWidth), op.accumulate);
    if (count == 0) return;

    const std::int64_t pieces = cuda::divide_up(count, kPiece), sort_bytes = cuda::token_sort_bytes(count);
    auto* scratch = cuda.scratch<std::byte>(sort_bytes + pieces * 2 * C * std::int64_t{sizeof(float)});
    const auto sorted =
        cuda::sort_tokens(cuda, cuda::data<std::int32_t>(op.tokens), count, op.dwte.shape.rows(), scratch);
    const Pieces list{.sorted = sorted,
                      .count = static_cast<std::int32_t>(count),
                      .pieces = static_cast<std::int32_t>(pieces),
                      .partials = reinterpret_cast<float*>(scratch + sort_bytes),
                      .C = C};
    auto* dwte = cuda::data<float>(op.dwte);
    cuda::launch(cuda, {blocks(cuda::divide_up(pieces, kWarps), C / kWidth), threads}, add_pieces<T, kWidth>, dwte, dy,
                 list);
    constexpr int kSumWidth = kWidth == 1 ? 1 : cuda::Pack<float>::kCount;
    cuda::launch(cuda, {blocks(pieces, C / kSumWidth), threads}, add_partials<kSumWidth>, dwte, list);
}

}  // namespace

void run(Cuda& cuda, const EmbeddingForward& op) {
    const std::int64_t C = op.y.shape[2], positions = op.tokens.count();
    require(positions <= std::numeric_limits<std::int32_t>::max(), op.name, "at most 2^31 - 1 positions");
    cuda::dispatch(op.y.dtype, [&]<class T>() {
        auto* y = cuda::data<T>(op.y);
        const T *wte = cuda::data<T>(op.wte), *wpe = cuda::data<T>(op.wpe);
        const auto go = [&]<int kWidth>() {
            const cuda::Grid grid{static_cast<unsigned>(cuda::divide_up(positions, kWarps)), dim3(kWarp, kWarps)};
            cuda::launch(cuda, grid, forward<T, kWidth>, y, cuda::data<std::int32_t>(op.tokens), wte, wpe,
                         static_cast<int>(positions), static_cast<int>(op.y.shape[1]), static_cast<int>(C / kWidth));
        };
        if (cuda::in_packs<T>(C, y, wte, wpe))
            go.template operator()<cuda::Pack<T>::kCount>();
        else
            go.template operator()<1>();
    });
}

void run(Cuda& cuda, const EmbeddingBackward& op) {
    require(op.tokens.count() <= std::numeric_limits<std::int32_t>::max(), op.name, "at most 2^31 - 1 positions");
    cuda::dispatch(op.dy.dtype, [&]<class T>() {
        if (cuda::in_packs<T>(op.dy.shape[2], op.dwte.data, op.dwpe.data, op.dy.data))
            backward<T, cuda::Pack<T>::kCount>(cuda, op);
        else
            backward<T, 1>(cuda, op);
    });
}

}  // namespace steepest
