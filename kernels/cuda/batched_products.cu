// Batched tile products on the tensor cores (bf16) or in plain FMAs (f32).
//
// A block computes one tile of one matrix: 128 x 128 by 8 warps of 64 x 32 for bf16, 64 x 64 by 128 threads of 8 x 4
// for f32. Its operands come through shared memory in slices 32 (f32: 16) deep, three in flight by cp.async, so the
// copies of two slices hide behind the products of a third. Rows in shared memory are padded so that the 8 rows that
// ldmatrix reads at once lie in different banks.
//
// Cost: 2 rows cols depth flops; for a symmetric result of n rows n (n + 128) depth (f32: n + 64). A bf16 slice of
// 16 KiB feeds 1 Mflop, 64 flops a byte from L2, which an A100 (312 Tflop/s over about 5 TB/s) can just feed; f32 is
// bound by its FMAs. What limits bf16 is mma.sync with two blocks of 8 warps a multiprocessor.
//
// Matrices whose rows are not packed into 16 bytes are copied by single elements, four times the copies.
//
// sm_80: bf16 124 to 126 registers and 60 KiB (a b: 55.5) of shared memory, f32 78 to 128 registers and at most 30 KiB;
// no spills.
#include "kernels/cuda/batched_products.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/mma.h"

#include <algorithm>
#include <limits>

namespace steepest::cuda {

namespace {

constexpr int kStages = 3;

// Products as a kernel reads them.
template <class T>
struct Table {
    T* memory;
    const float* gate;
    int size;
    unsigned first[Products::kMost];  // block
    Product list[Products::kMost];
};

template <class T>
struct Tile;
template <>
struct Tile<__nv_bfloat16> {
    static constexpr int kSize = 128, kDepth = 32, kThreads = 256;
};
template <>
struct Tile<float> {
    static constexpr int kSize = 64, kDepth = 16, kThreads = 128;
};

// How the operands lie: across, a row of the slice is along the sum; else it is along the tile.
template <Form kForm>
struct Lies {
    static constexpr bool kMirrored = kForm == Form::symmetric;
    static constexpr bool kLeftAcross = kForm != Form::at_b, kRightAcross = kMirrored || kForm == Form::a_bt;
};

// One slice of an operand in shared memory: across, kSize rows of kDepth; else the reverse. Of b across f32's rows are
// in another order, kPairs: those that 16 threads read at once, every second one, follow each other, and so lie in
// different banks.
template <class T, bool kAcross, bool kPairs = false>
struct Slice {
    static constexpr int kRows = kAcross ? Tile<T>::kSize : Tile<T>::kDepth,
                         kCols = kAcross ? Tile<T>::kDepth : Tile<T>::kSize, kPack = 16 / sizeof(T),
                         kStride = kCols + kPack, kElements = kRows * kStride;

    __device__ static int place(int row) { return kPairs ? (row & ~31) | (row & 1) << 4 | (row >> 1 & 15) : row; }

    // From (row, col) of a matrix of rows x cols; zeros beyond its edges.
    template <bool kPacked>
    __device__ static void load(T* to, const T* from, int pitch, int row, int col, int rows, int cols) {
        constexpr int kAcrossPacks = kCols / kPack;
        constexpr int kRowsAtOnce = Tile<T>::kThreads / kAcrossPacks;
        const int first = threadIdx.x / kAcrossPacks, c = threadIdx.x % kAcrossPacks * kPack;
#pragma unroll
        for (int i = 0; i < kRows / kRowsAtOnce; ++i) {
            const int r = first + i * kRowsAtOnce;
            T* target = to + place(r) * kStride + c;
            const T* source = from + std::int64_t{row + r} * pitch + (col + c);
            if constexpr (kPacked) {
                const bool inside = row + r < rows && col + c < cols;
                copy_async(target, inside ? source : from, inside);
            } else {
                static_assert(sizeof(T) == 4);
#pragma unroll
                for (int j = 0; j < kPack; ++j) {
                    const bool inside = row + r < rows && col + c + j < cols;
                    copy_async_four_bytes(target + j, inside ? source + j : from, inside);
                }
            }
        }
    }
};

template <class T, Form kForm>
struct Shared {
    using A = Slice<T, Lies<kForm>::kLeftAcross>;
    using B = Slice<T, Lies<kForm>::kRightAcross, Lies<kForm>::kRightAcross && sizeof(T) == 4>;
    static constexpr int kStage = A::kElements + B::kElements,
                         kOut = Tile<T>::kSize + A::kPack;  // from row to row of the tile on its way out
    static constexpr std::size_t kBytes =
        sizeof(T) * (kStages * kStage > Tile<T>::kSize * kOut ? kStages * kStage : Tile<T>::kSize * kOut);
};

// The sums of a thread. visit(f) calls f(row in the tile, column, value, value in the next column).
template <class T>
class Sums;

template <>
class Sums<__nv_bfloat16> {
public:
    using T = __nv_bfloat16;

    template <bool kLeftAcross, bool kRightAcross>
    __device__ void add(const T* a, const T* b) {
        static_assert(kLeftAcross);
        using A = Slice<T, true>;
        using B = Slice<T, kRightAcross>;
        const int lane = threadIdx.x % kWarp;
#pragma unroll
        for (int k = 0; k < Tile<T>::kDepth; k += 16) {
            std::uint32_t right[2][4];  // each of two fragments of two registers
#pragma unroll
            for (int n = 0; n < 2; ++n) {
                const int column = column_of_warp() + 16 * n + lane / 16 * 8, deep = k + lane / 8 % 2 * 8;
                if constexpr (kRightAcross)
                    load_matrices(right[n], b + (column + lane % 8) * B::kStride + deep);
                else
                    load_matrices_transposed(right[n], b + (deep + lane % 8) * B::kStride + column);
            }
#pragma unroll
            for (int m = 0; m < 4; ++m) {
                std::uint32_t left[4];
                load_matrices(left, a + (row() + 16 * m + lane % 16) * A::kStride + k + lane / 16 * 8);
#pragma unroll
                for (int n = 0; n < 2; ++n) {
                    mma_bf16(sums_[m][2 * n], left, right[n][0], right[n][1]);
                    mma_bf16(sums_[m][2 * n + 1], left, right[n][2], right[n][3]);
                }
            }
        }
    }
    template <class F>
    __device__ void visit(F&& f) {
        const int group = threadIdx.x % kWarp / 4, pair = threadIdx.x % 4 * 2;
#pragma unroll
        for (int m = 0; m < 4; ++m)
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                const int r = row() + 16 * m + group, c = column_of_warp() + 8 * n + pair;
                f(r, c, sums_[m][n][0], sums_[m][n][1]);
                f(r + 8, c, sums_[m][n][2], sums_[m][n][3]);
            }
    }

private:
    __device__ static int row() { return threadIdx.x / kWarp / 4 * 64; }
    __device__ static int column_of_warp() { return threadIdx.x / kWarp % 4 * 32; }

    float sums_[4][4][4] = {};
};

template <>
class Sums<float> {
public:
    // Two neighbouring columns, 32 apart twice, of rows 8 apart.
    template <bool kLeftAcross, bool kRightAcross>
    __device__ void add(const float* a, const float* b) {
        using A = Slice<float, kLeftAcross>;
        using B = Slice<float, kRightAcross, kRightAcross>;
        const int y = threadIdx.x / 16, x = threadIdx.x % 16 * 2;
#pragma unroll
        for (int k = 0; k < Tile<float>::kDepth; k += 4) {
            float4 right[4];
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                const int column = x + n / 2 * 32 + n % 2;
                right[n] = four_deep<B, kRightAcross>(b, column, k);
            }
#pragma unroll
            for (int m = 0; m < 8; ++m) {
                const float4 left = four_deep<A, kLeftAcross>(a, y + 8 * m, k);
#pragma unroll
                for (int n = 0; n < 4; ++n) {
                    float& sum = sums_[m][n];
                    sum = fmaf(left.x, right[n].x, sum);
                    sum = fmaf(left.y, right[n].y, sum);
                    sum = fmaf(left.z, right[n].z, sum);
                    sum = fmaf(left.w, right[n].w, sum);
                }
            }
        }
    }
    template <class F>
    __device__ void visit(F&& f) {
        const int y = threadIdx.x / 16, x = threadIdx.x % 16 * 2;
#pragma unroll
        for (int m = 0; m < 8; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n) f(y + 8 * m, x + 32 * n, sums_[m][2 * n], sums_[m][2 * n + 1]);
    }

private:
    // Of one row or column of the tile, four neighbours along the sum.
    template <class S, bool kAcross>
    __device__ static float4 four_deep(const float* slice, int line, int k) {
        if constexpr (kAcross) return *reinterpret_cast<const float4*>(slice + S::place(line) * S::kStride + k);
        const float* from = slice + k * S::kStride + line;
        return {from[0], from[S::kStride], from[2 * S::kStride], from[3 * S::kStride]};
    }

    float sums_[8][4] = {};
};

__device__ inline void store_pair(float* to, float low, float high) {
    *reinterpret_cast<float2*>(to) = make_float2(low, high);
}
__device__ inline void store_pair(__nv_bfloat16* to, float low, float high) {
    *reinterpret_cast<std::uint32_t*>(to) = pack_bf16(low, high);
}
__device__ inline float2 load_pair(const float* from) { return *reinterpret_cast<const float2*>(from); }
__device__ inline float2 load_pair(const __nv_bfloat16* from) {
    return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(from));
}

// Where a block's tile begins.
struct Corner {
    int row, col;
};
template <bool kMirrored>
__device__ inline Corner corner_of(unsigned tile, int cols, int size) {
    int across = (cols + size - 1) / size;
    if constexpr (!kMirrored) return {static_cast<int>(tile) / across * size, static_cast<int>(tile) % across * size};
    int row = 0, left = static_cast<int>(tile);
    for (; left >= across; ++row) left -= across--;
    return {row * size, (row + left) * size};
}

// The staged tile to (row, col) of a matrix of `rows` rows, by all threads.
template <class T, int kStride, bool kPacked>
__device__ inline void store_tile(T* to, const T* tile, int pitch, int row, int col, int rows) {
    constexpr int kPack = kPacked ? Pack<T>::kCount : 1, kAcross = Tile<T>::kSize / kPack;
    for (int i = threadIdx.x; i < Tile<T>::kSize * kAcross; i += Tile<T>::kThreads) {
        const int r = i / kAcross, c = i % kAcross * kPack;
        if (row + r >= rows || col + c >= pitch) continue;
        T* place = to + std::int64_t{row + r} * pitch + (col + c);
        if constexpr (kPacked)
            store_pack(place, load_pack(tile + r * kStride + c));
        else
            *place = tile[r * kStride + c];
    }
}

// The product itself, slices following each other through kStages places of shared memory.
template <class T, Form kForm, bool kPacked>
__device__ inline void sum_slices(Sums<T>& sums, T* shared, const T* a, const T* b, const Product& p, Corner at) {
    using S = Shared<T, kForm>;
    using L = Lies<kForm>;
    constexpr int kDepth = Tile<T>::kDepth;
    const int steps = (p.depth + kDepth - 1) / kDepth;
    const auto load = [&](int step) {
        if (step < steps) {
            T* place = shared + step % kStages * S::kStage;
            T* right = place + S::A::kElements;
            const int deep = step * kDepth;
            if constexpr (L::kLeftAcross)
                S::A::template load<kPacked>(place, a, p.a.pitch, at.row, deep, p.rows, p.depth);
            else
                S::A::template load<kPacked>(place, a, p.a.pitch, deep, at.row, p.depth, p.rows);
            if constexpr (L::kRightAcross)
                S::B::template load<kPacked>(right, b, p.b.pitch, at.col, deep, p.cols, p.depth);
            else
                S::B::template load<kPacked>(right, b, p.b.pitch, deep, at.col, p.depth, p.cols);
        }
        commit_copies();  // an empty group too, so that the count of groups says which have landed
    };
    for (int step = 0; step < kStages - 1; ++step) load(step);
#pragma unroll 1  // unrolled, its addresses would not fit the registers beside the sums
    for (int step = 0; step < steps; ++step) {
        wait_copies<kStages - 2>();
        __syncthreads();  // the slice is everybody's, and nobody still reads the place that is filled next
        load(step + kStages - 1);
        const T* place = shared + step % kStages * S::kStage;
        sums.template add<L::kLeftAcross, L::kRightAcross>(place, place + S::A::kElements);
    }
    wait_copies<0>();
    __syncthreads();  // shared memory is free for the tile's way out
}

template <class T, Form kForm, bool kPacked>
__global__ void __launch_bounds__(Tile<T>::kThreads, 2) multiply_tiles(const __grid_constant__ Table<T> table) {
    using S = Shared<T, kForm>;
    constexpr bool kMirrored = Lies<kForm>::kMirrored;
    constexpr int kSize = Tile<T>::kSize;
    extern __shared__ uint4 shared_bytes[];
    T* shared = reinterpret_cast<T*>(shared_bytes);
    if (table.gate && *table.gate == 0) return;

    int which = 0;
    while (which + 1 < table.size && blockIdx.x >= table.first[which + 1]) ++which;
    const Product& p = table.list[which];
    // The tiles of one matrix follow each other, so that blocks that run together find its rows in L2.
    const unsigned index = blockIdx.x - table.first[which], tile = index % p.tiles, matrix = index / p.tiles;
    const auto data_of = [&](const Matrices& m) { return table.memory + m.offset + matrix * m.stride; };
    const Corner at = corner_of<kMirrored>(tile, p.cols, kSize);

    Sums<T> sums;
    sum_slices<T, kForm, kPacked>(sums, shared, data_of(p.a), data_of(p.b), p, at);

    const T* from = data_of(p.from);
    sums.visit([&](int r, int c, float& low, float& high) {
        const int row = at.row + r, col = at.col + c;
        low *= p.alpha, high *= p.alpha;
        if (row < p.rows && col < p.from.pitch) {
            const T* pair = from + std::int64_t{row} * p.from.pitch + col;
            float2 added;
            if constexpr (kPacked)
                added = load_pair(pair);
            else
                added = {pair[0], col + 1 < p.from.pitch ? pair[1] : 0};
            low = fmaf(p.beta, added.x, low), high = fmaf(p.beta, added.y, high);
        }
        if (row == col) low += p.identity;
        if (row == col + 1) high += p.identity;
        store_pair(shared + r * S::kOut + c, low, high);
    });
    __syncthreads();
    T* to = data_of(p.to);
    store_tile<T, S::kOut, kPacked>(to, shared, p.to.pitch, at.row, at.col, p.rows);
    if (!kMirrored || at.row == at.col) return;
    __syncthreads();
    sums.visit([&](int r, int c, float low, float high) {
        shared[c * S::kOut + r] = from_float<T>(low), shared[(c + 1) * S::kOut + r] = from_float<T>(high);
    });
    __syncthreads();
    store_tile<T, S::kOut, kPacked>(to, shared, p.to.pitch, at.col, at.row, p.rows);
}

template <class T, Form kForm, bool kPacked = true>
void launch_tiles(Cuda& cuda, const Products& products) {
    constexpr std::int64_t kSize = Tile<T>::kSize;
    Table<T> table{static_cast<T*>(products.memory), products.gate, products.size, {}, {}};
    std::int64_t blocks = 0;
    for (int i = 0; i < products.size; ++i) {
        Product p = products.list[i];
        const std::int64_t down = divide_up(p.rows, kSize), across = divide_up(p.cols, kSize);
        const std::int64_t tiles = kForm == Form::symmetric ? across * (across + 1) / 2 : down * across;
        table.first[i] = static_cast<unsigned>(blocks);
        blocks += tiles * p.count;
        require(blocks <= std::numeric_limits<int>::max(), "batched products", "more tiles than a grid has blocks");
        p.tiles = static_cast<int>(tiles);
        table.list[i] = p;
    }
    launch(cuda, {static_cast<unsigned>(blocks), Tile<T>::kThreads, Shared<T, kForm>::kBytes},
           multiply_tiles<T, kForm, kPacked>, table);
}

}  // namespace

void multiply(Cuda& cuda, const Products& products) {
    const auto launch_any = [&]<bool kPacked>() {
        switch (products.form) {
            case Form::a_b:
                return launch_tiles<float, Form::a_b, kPacked>(cuda, products);
            case Form::at_b:
                return launch_tiles<float, Form::at_b, kPacked>(cuda, products);
            case Form::a_bt:
                return launch_tiles<float, Form::a_bt, kPacked>(cuda, products);
            case Form::symmetric:
                return launch_tiles<float, Form::symmetric, kPacked>(cuda, products);
        }
    };
    if (products.dtype == DType::f32)
        return products.packed ? launch_any.template operator()<true>() : launch_any.template operator()<false>();
    require(products.packed && (products.form == Form::a_b || products.form == Form::symmetric), "batched products",
            "bf16 matrices want packed rows, and no transpose");
    products.form == Form::symmetric ? launch_tiles<__nv_bfloat16, Form::symmetric>(cuda, products)
                                     : launch_tiles<__nv_bfloat16, Form::a_b>(cuda, products);
}

}  // namespace steepest::cuda
