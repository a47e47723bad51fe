// Newton-Schulz on the GPU: all matrices that scratch holds are iterated together, whatever their shapes.
//
// They are gathered into scratch once, in the wide orientation, scaled and rounded. Then each goes through its list of
// products (newton_schulz.h); a launch takes the next one of all matrices at whose turn it is of the launch's form:
// symmetric, computed on the tiles on and above the diagonal and mirrored, or of X, which ends in the place of the next
// X. Square ones take three launches a step, wide ones ten for three steps, and most of the two are shared: GPT-2 124M,
// 48 matrices and five steps, 20, with 4 before and after them, a chunk of up to 96 matrices of up to 16 sizes (453 MB
// of scratch in bf16).
//
// Cost in bf16, with S = r (r + 128): a step of r x r 2 r S + 2 r^3 flops, two steps of r x s, r < s, s S + 5 r S
// + 2 r^2 s, limited by the tensor cores, see batched_products.cu. The rest moves 16 bytes an element (bf16; 20 with
// dual) once, limited by memory: a seventh of the time of five steps at GPT-2's sizes.
//
// Norms and dual are summed in f64, block by block and then over the blocks, in an order that the shape alone decides:
// squares of large gradients overflow f32, and a GPU that does f64 at 1/64 of its speed still does two flops a float in
// less than the time the float takes from memory.
//
// sm_80: at most 38 registers and 16.6 KiB of shared memory, no spills.
#include "kernels/cuda/batched_products.h"
#include "kernels/cuda/gpu.h"
#include "ops/orthogonalize.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace steepest {

namespace {

using cuda::Matrices;
using cuda::Pack;
using cuda::Product;
using cuda::Products;

constexpr int kThreads = 256;
constexpr int kSide = 64;                // of the tiles that gather and scatter move
constexpr std::int64_t kPart = 1 << 14;  // elements whose squares one block sums
constexpr int kMostMatrices = 96;        // in one launch: what 3 of the 4 KiB of a kernel's parameters hold
using Run = Pack<float>;                 // what a thread moves of a row at a time

struct Item {
    float* x;
    std::int64_t at;  // of X in scratch, in elements
    int rows, cols;   // as stored
    int pitch;        // of X
    int index;        // in the op's list

    __host__ __device__ int side() const { return rows < cols ? rows : cols; }
    __host__ __device__ bool tall() const { return rows > cols; }
    __host__ __device__ int across() const { return (pitch + kSide - 1) / kSide; }
    __host__ __device__ int tiles() const { return (side() + kSide - 1) / kSide * across(); }
    __device__ std::int64_t count() const { return std::int64_t{rows} * cols; }
    // May rows be read 16 bytes at a time?
    __device__ bool aligned() const { return cols % Run::kCount == 0 && reinterpret_cast<std::uintptr_t>(x) % 16 == 0; }
};
struct Items {
    Item list[kMostMatrices];
};

__device__ inline bool closed(const float* gate) { return gate && *gate == 0; }

// The sum over the block, for every thread; safe to call again at once.
__device__ inline double block_sum(double x) {
    __shared__ double partial[kThreads / cuda::kWarp];
    for (int lane = cuda::kWarp / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(cuda::kAllLanes, x, lane);
    __syncthreads();
    if (threadIdx.x % cuda::kWarp == 0) partial[threadIdx.x / cuda::kWarp] = x;
    __syncthreads();
    double sum = 0;
    for (const double part : partial) sum += part;
    return sum;
}
__device__ inline double block_sum_of(const double* parts, int count) {
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += kThreads) sum += parts[i];
    return block_sum(sum);
}

__host__ __device__ inline int parts_of(std::int64_t count) { return static_cast<int>((count + kPart - 1) / kPart); }

// parts (matrices, stride): of each matrix as many sums of squares as it has parts.
__global__ void __launch_bounds__(kThreads)
    sum_squares(double* parts, int stride, const __grid_constant__ Items items, const float* gate) {
    const Item& item = items.list[blockIdx.y];
    const std::int64_t begin = blockIdx.x * kPart, end = min(begin + kPart, item.count());
    if (begin >= end || closed(gate)) return;
    double sum = 0;
    if (reinterpret_cast<std::uintptr_t>(item.x) % 16 == 0 && end % Run::kCount == 0) {
        for (std::int64_t i = begin + threadIdx.x * Run::kCount; i < end; i += kThreads * Run::kCount) {
            const Run run = cuda::load_pack(item.x + i);
            for (const float value : run.values) sum = fma(double{value}, double{value}, sum);
        }
    } else {
        for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads)
            sum = fma(double{item.x[i]}, double{item.x[i]}, sum);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[std::int64_t{blockIdx.y} * stride + blockIdx.x] = sum;
}

// Element (r, c) of a tile in shared memory. Lanes take neighbouring runs of 4 or 8 elements of a row, of several rows,
// or as many rows of a column: here all of these lie in different banks. Halves of a row lie apart, and rows are 33
// long.
constexpr int kHalfRow = kSide / 2, kStride = kHalfRow + 1, kHalf = kSide * kStride + 2, kPlaces = 2 * kHalf;
__device__ inline int place_in_tile(int r, int c) {
    return c / kHalfRow * kHalf + r * kStride + r / kHalfRow * 2 + c % kHalfRow;
}

// A tile of a matrix: where it begins in the wide orientation, and in a row of the stored one the runs it consists of.
struct Place {
    int row, col;

    __device__ Place(const Item& item, unsigned tile)
        : row(static_cast<int>(tile) / item.across() * kSide), col(static_cast<int>(tile) % item.across() * kSide) {}

    // f(place of the run in x, how many of its elements the matrix has, place of the first in the tile, step to the
    // next).
    template <class F>
    __device__ void for_each_run(const Item& item, F&& f) const {
        const bool tall = item.tall();
        for (int i = threadIdx.x; i < kSide * kSide / Run::kCount; i += kThreads) {
            const int down = i / (kSide / Run::kCount), along = i % (kSide / Run::kCount) * Run::kCount;
            const int r = (tall ? col : row) + down, c = (tall ? row : col) + along;
            const int inside = r < item.rows ? max(0, min(Run::kCount, item.cols - c)) : 0;
            f(item.x + std::int64_t{r} * item.cols + c, inside,
              tall ? place_in_tile(along, down) : place_in_tile(down, along), tall ? kStride : 1);
        }
    }
    // f(place in X, place in the tile) for packs of T, which may reach into the padding of a row.
    template <class T, class F>
    __device__ void for_each_pack(T* x, const Item& item, F&& f) const {
        constexpr int kCount = Pack<T>::kCount;
        for (int i = threadIdx.x; i < kSide * kSide / kCount; i += kThreads) {
            const int n = i / (kSide / kCount), c = i % (kSide / kCount) * kCount;
            const int r = (n & ~6) | (n & 2) << 1 | (n & 4) >> 1;  // a warp's rows: 0, 1, 4 and 5, for the banks
            if (row + r < item.side() && col + c < item.pitch)
                f(x + item.at + std::int64_t{row + r} * item.pitch + (col + c), place_in_tile(r, c));
        }
    }
};

__device__ inline Run load_run(const float* from, int inside, bool aligned) {
    if (aligned && inside == Run::kCount) return cuda::load_pack_streaming(from);
    Run run;
    for (int i = 0; i < Run::kCount; ++i) run[i] = i < inside ? from[i] : 0;
    return run;
}
__device__ inline void store_run(float* to, const Run& run, int inside, bool aligned) {
    if (aligned && inside == Run::kCount) return cuda::store_pack(to, run);
    for (int i = 0; i < Run::kCount; ++i)
        if (i < inside) to[i] = run[i];
}

// X = wide x / (norm_factor ||x|| + epsilon), zeros in the padding.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gather(T* scratch, const double* parts, int stride, const __grid_constant__ Items items, double norm_factor,
           double epsilon, const float* gate) {
    __shared__ float tile[kPlaces];
    const Item& item = items.list[blockIdx.y];
    if (blockIdx.x >= item.tiles() || closed(gate)) return;
    const double squares = block_sum_of(parts + std::int64_t{blockIdx.y} * stride, parts_of(item.count()));
    const double size = norm_factor * sqrt(squares) + epsilon, factor = size == 0 ? 0 : 1 / size;

    const Place place(item, blockIdx.x);
    const bool aligned = item.aligned();
    place.for_each_run(item, [&](const float* x, int inside, int at, int step) {
        const Run run = load_run(x, inside, aligned);
        for (int i = 0; i < Run::kCount; ++i) tile[at + i * step] = static_cast<float>(factor * run[i]);
    });
    __syncthreads();
    place.for_each_pack(scratch, item, [&](T* x, int at) {
        Pack<T> pack;
        for (int i = 0; i < Pack<T>::kCount; ++i) pack[i] = cuda::from_float<T>(tile[at + i]);
        cuda::store_pack(x, pack);
    });
}

// x = X as stored, and where `parts` is given the tile's share of <x before, X>.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scatter(double* parts, int stride, const T* scratch, const __grid_constant__ Items items, const float* gate) {
    __shared__ float tile[kPlaces];
    const Item& item = items.list[blockIdx.y];
    if (blockIdx.x >= item.tiles() || closed(gate)) return;

    const Place place(item, blockIdx.x);
    place.for_each_pack(scratch, item, [&](const T* x, int at) {
        const Pack<T> pack = cuda::load_pack_streaming(x);
        for (int i = 0; i < Pack<T>::kCount; ++i) tile[at + i] = cuda::to_float(pack[i]);
    });
    __syncthreads();
    double sum = 0;
    const bool aligned = item.aligned();
    place.for_each_run(item, [&](float* x, int inside, int at, int step) {
        if (inside == 0) return;
        Run run;
        for (int i = 0; i < Run::kCount; ++i) run[i] = i < inside ? tile[at + i * step] : 0;
        if (parts) {
            const Run before = load_run(x, inside, aligned);
            for (int i = 0; i < Run::kCount; ++i) sum = fma(double{before[i]}, double{run[i]}, sum);
        }
        store_run(x, run, inside, aligned);
    });
    if (!parts) return;
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[std::int64_t{blockIdx.y} * stride + blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads)
    sum_dual(float* dual, const double* parts, int stride, const __grid_constant__ Items items, const float* gate) {
    if (closed(gate)) return;
    const Item& item = items.list[blockIdx.x];
    const double sum = block_sum_of(parts + std::int64_t{blockIdx.x} * stride, item.tiles());
    if (threadIdx.x == 0) dual[item.index] = static_cast<float>(sum);
}

// --- on the host

// Matrices of one wide shape, their places in scratch and what is yet to be done with them.
struct Batch {
    using Matrix = NewtonSchulzProduct::Place;

    int side, length;
    std::vector<std::size_t> members;
    std::vector<NewtonSchulzProduct> products;
    std::size_t next = 0;  // of the products
    Matrices x = {}, y = {}, gram = {}, factor = {};

    Matrices at(Matrix matrix) const {
        switch (matrix) {
            case Matrix::none:
                break;
            case Matrix::x:
                return x;
            case Matrix::gram:
                return gram;
            case Matrix::factor:
                return factor;
            case Matrix::spare:
                return {y.offset, y.stride, gram.pitch};
        }
        return {};
    }
};

struct Sides {
    std::int64_t side, length;
    explicit Sides(const Shape& shape)
        : side(std::min(shape.rows(), shape.cols())), length(std::max(shape.rows(), shape.cols())) {}
    // The longest sums first, so that the last blocks of a launch are short ones.
    auto order() const { return std::pair(-length, -side); }
};

// Consecutive batches, as many matrices as scratch and one launch hold.
std::vector<std::vector<Batch>> chunks_of(const Orthogonalize& op) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < op.x.size(); ++i)
        if (op.x[i].count() > 0) order.push_back(i);
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return Sides(op.x[i].shape).order(); });

    std::vector<std::vector<Batch>> chunks;
    std::int64_t free = 0;
    int matrices = 0;
    for (const std::size_t i : order) {
        const Sides s(op.x[i].shape);
        require(s.length < std::numeric_limits<int>::max() - kSide, op.name, "a side of a matrix is 2^31 or longer");
        const std::int64_t bytes = Orthogonalize::matrix_bytes(op.x[i].shape, op.compute);
        const auto same = [&](const Batch& b) { return b.side == s.side && b.length == s.length; };
        if (chunks.empty() || bytes > free || matrices == kMostMatrices ||
            (chunks.back().size() == Products::kMost && !same(chunks.back().back()))) {
            chunks.emplace_back();
            free = op.scratch.bytes(), matrices = 0;
        }
        free -= bytes, ++matrices;
        std::vector<Batch>& chunk = chunks.back();
        if (chunk.empty() || !same(chunk.back()))
            chunk.push_back({static_cast<int>(s.side),
                             static_cast<int>(s.length),
                             {},
                             newton_schulz_products(op.x[i].shape, op.coefficients, op.form)});
        chunk.back().members.push_back(i);
    }
    return chunks;
}

// The places in scratch, of the sizes that matrix_bytes() counts.
void lay_out(std::vector<Batch>& chunk, DType compute) {
    const std::int64_t size = size_of(compute);
    std::int64_t used = 0;
    const auto take = [&](const Batch& batch, std::int64_t cols) {
        const std::int64_t pitch = cuda::divide_up(cols * size, 16) * 16 / size;
        const std::int64_t stride = cuda::divide_up(batch.side * pitch * size, 64) * 64 / size;
        const std::int64_t begin = used;
        used += stride * static_cast<std::int64_t>(batch.members.size());
        return Matrices{begin, stride, static_cast<int>(pitch)};
    };
    for (Batch& b : chunk) {
        b.x = take(b, b.length), b.y = take(b, b.length);
        b.gram = take(b, b.side), b.factor = take(b, b.side);
    }
}

// The next product of every batch at whose turn one of this form is; false if there is none.
bool multiply(Cuda& cuda, const Orthogonalize& op, std::vector<Batch>& chunk, bool symmetric) {
    Products all{.memory = op.scratch.data,
                 .dtype = op.compute,
                 .form = symmetric ? cuda::Form::symmetric : cuda::Form::a_b,
                 .gate = cuda::data<float>(op.gate)};
    for (Batch& b : chunk) {
        if (b.next == b.products.size() || b.products[b.next].symmetric() != symmetric) continue;
        const NewtonSchulzProduct& p = b.products[b.next++];
        all.list[all.size++] = Product{.to = symmetric ? b.at(p.to) : b.y,
                                       .a = b.at(p.left),
                                       .b = b.at(p.right),
                                       .from = b.at(p.from),
                                       .rows = b.side,
                                       .cols = symmetric ? b.side : b.length,
                                       .depth = p.alpha == 0  ? 0
                                                : p.squares() ? b.length
                                                              : b.side,
                                       .count = static_cast<int>(b.members.size()),
                                       .alpha = static_cast<float>(p.alpha),
                                       .beta = static_cast<float>(p.beta),
                                       .identity = static_cast<float>(p.identity)};
        if (!symmetric) std::swap(b.x, b.y);
    }
    if (all.size > 0) cuda::multiply(cuda, all);
    return all.size > 0;
}

// Products of X first: square matrices, which have more of them, then keep step with wide ones.
void iterate(Cuda& cuda, const Orthogonalize& op, std::vector<Batch>& chunk) {
    while (multiply(cuda, op, chunk, false) || multiply(cuda, op, chunk, true)) {
    }
}

// The matrices of a chunk, and how many parts and tiles the largest has.
struct Listing {
    Items items = {};
    unsigned count = 0, parts = 0, tiles = 0;

    Listing(const Orthogonalize& op, const std::vector<Batch>& chunk) {
        for (const Batch& batch : chunk)
            for (std::size_t i = 0; i < batch.members.size(); ++i) {
                const Tensor& x = op.x[batch.members[i]];
                const Item item{.x = cuda::data<float>(x),
                                .at = batch.x.offset + static_cast<std::int64_t>(i) * batch.x.stride,
                                .rows = static_cast<int>(x.shape.rows()),
                                .cols = static_cast<int>(x.shape.cols()),
                                .pitch = batch.x.pitch,
                                .index = static_cast<int>(batch.members[i])};
                items.list[count++] = item;
                parts = std::max(parts, static_cast<unsigned>(parts_of(x.count())));
                tiles = std::max(tiles, static_cast<unsigned>(item.tiles()));
            }
    }
};

template <class T>
void run_chunk(Cuda& cuda, const Orthogonalize& op, std::vector<Batch>& chunk) {
    lay_out(chunk, op.compute);
    T* scratch = cuda::data<T>(op.scratch);
    const float* gate = cuda::data<float>(op.gate);
    const Listing before(op, chunk);
    const int stride = static_cast<int>(std::max(before.parts, before.tiles));
    double* parts = cuda.scratch<double>(std::int64_t{before.count} * stride);

    cuda::launch(cuda, {{before.parts, before.count}, kThreads}, sum_squares, parts, stride, before.items, gate);
    cuda::launch(cuda, {{before.tiles, before.count}, kThreads}, gather<T>, scratch, parts, stride, before.items,
                 op.norm_factor, op.epsilon, gate);
    iterate(cuda, op, chunk);

    const Listing after(op, chunk);
    cuda::launch(cuda, {{after.tiles, after.count}, kThreads}, scatter<T>, op.dual ? parts : nullptr, stride, scratch,
                 after.items, gate);
    if (op.dual)
        cuda::launch(cuda, {after.count, kThreads}, sum_dual, cuda::data<float>(op.dual), parts, stride, after.items,
                     gate);
}

}  // namespace

void run(Cuda& cuda, const Orthogonalize& op) {
    require(cuda::aligned16(op.scratch.data), op.name, "scratch must be aligned to 16 bytes");
    for (std::vector<Batch>& chunk : chunks_of(op))
        cuda::dispatch(op.compute, [&]<class T>() { run_chunk<T>(cuda, op, chunk); });
}

}  // namespace steepest
