// Attention without tensor cores: f32, and bf16 heads that mma cannot take. Any T, any D.
//
// Blocks own 64 queries (forward, dq) or 64 keys (dk, dv) of one head and at most kOut columns of the result; heads of
// more columns are done by several blocks, each of which computes the scores again. Scores come from chunks of 64
// columns in shared memory, all sums are f32, each thread does 4 x 4 of a tile of scores from float4s: two FMAs a byte
// of shared memory. Method as in attention_forward.cu and attention_backward.cu.
//
// Cost: 4 D flops a score forward, 14 D backward for D <= kOut, on FMA units, which are the limit (19.5 TFLOP/s on an
// A100, 67 on an H100); reads the other side of each tile T / 128 times, from L2. 51 KiB of shared memory for D <= 64
// and 67 above, up to 128 registers a thread, so two blocks of 256 threads a multiprocessor; one for dk and dv of
// D > 64, with 214 registers.
#include "kernels/cuda/attention_sizes.h"

namespace steepest::cuda {

namespace {

constexpr int kTile = 64, kColumns = 64, kSide = kTile / 4, kThreads = kSide * kSide;

template <int kColumnsOfRow>
constexpr int kStride = kColumnsOfRow + 4;  // of rows in shared memory: 8 lanes' float4s fall into different banks

template <int kOut>
struct Shared {
    alignas(16) float left[kTile][kStride<kColumns>];
    alignas(16) float right[kTile][kStride<kOut>];
    alignas(16) float weights[kTile][kStride<kTile>];
};

// A matrix of one head in global memory: `rows` rows of `columns` elements.
template <class T>
struct Matrix {
    const T* data;
    std::int64_t stride;
    int rows, columns;
    bool packed;  // all rows are aligned to 16 bytes and whole packs
};

// tile = rows [row, row + kTile), columns [column, column + kWidth) of `from`; zeros where it has none.
template <int kWidth, class T>
__device__ void load(float (*tile)[kStride<kWidth>], const Matrix<T>& from, int row, int column) {
    if (from.packed) {
        constexpr int kCount = Pack<T>::kCount, kPacks = kWidth / kCount;
#pragma unroll 2
        for (int i = threadIdx.x; i < kTile * kPacks; i += kThreads) {
            const int r = i / kPacks, c = i % kPacks * kCount;
            Pack<T> pack{};
            if (row + r < from.rows && column + c < from.columns)
                pack = load_pack(from.data + (row + r) * from.stride + column + c);
#pragma unroll
            for (int j = 0; j < kCount; ++j) tile[r][c + j] = to_float(pack[j]);
        }
    } else {
#pragma unroll 2
        for (int i = threadIdx.x; i < kTile * kWidth; i += kThreads) {
            const int r = i / kWidth, c = i % kWidth;
            const bool valid = row + r < from.rows && column + c < from.columns;
            tile[r][c] = valid ? to_float(from.data[(row + r) * from.stride + column + c]) : 0.0f;
        }
    }
}

__device__ inline float4 read4(const float* from) { return *reinterpret_cast<const float4*>(from); }
// Thread (y, x) has rows 4 y + i of a tile, columns x + 16 j of scores, 4 x + 64 c and the next three of results.
__device__ inline int thread_x() { return threadIdx.x % kSide; }
__device__ inline int thread_y() { return threadIdx.x / kSide; }

// s[i][j] = sum_d a[a_row + i, d] b[b_row + j, d].
template <int kOut, class T>
__device__ void multiply_rows(float (&s)[4][4], Shared<kOut>& shared, const Matrix<T>& a, int a_row, const Matrix<T>& b,
                              int b_row) {
    for (auto& row : s)
        for (float& x : row) x = 0;
    auto* right = reinterpret_cast<float(*)[kStride<kColumns>]>(shared.right);
    for (int d0 = 0; d0 < a.columns; d0 += kColumns) {
        __syncthreads();  // everyone is done with what the tiles held
        load<kColumns>(shared.left, a, a_row, d0);
        load<kColumns>(right, b, b_row, d0);
        __syncthreads();
        const int depth = min(kColumns, (a.columns - d0 + 3) / 4 * 4);
#pragma unroll 1
        for (int d = 0; d < depth; d += 4) {
            float4 x[4], y[4];
#pragma unroll
            for (int i = 0; i < 4; ++i)
                x[i] = read4(&shared.left[4 * thread_y() + i][d]), y[i] = read4(&right[thread_x() + kSide * i][d]);
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    s[i][j] = fmaf(x[i].x, y[j].x, s[i][j]), s[i][j] = fmaf(x[i].y, y[j].y, s[i][j]);
                    s[i][j] = fmaf(x[i].z, y[j].z, s[i][j]), s[i][j] = fmaf(x[i].w, y[j].w, s[i][j]);
                }
        }
    }
}

// result[i, d] += sum_j weights[i, j] b[b_row + j, column + d].
template <int kOut, class T>
__device__ void add_weighted(float (&result)[4][kOut / 16], Shared<kOut>& shared, const float (&weights)[4][4],
                             const Matrix<T>& b, int b_row, int column) {
    __syncthreads();
    load<kOut>(shared.right, b, b_row, column);
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) shared.weights[4 * thread_y() + i][thread_x() + kSide * j] = weights[i][j];
    __syncthreads();
#pragma unroll 1
    for (int j = 0; j < kTile; j += 4) {
        float4 w[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) w[i] = read4(&shared.weights[4 * thread_y() + i][j]);
#pragma unroll
        for (int c = 0; c < kOut / 64; ++c)
#pragma unroll
            for (int k = 0; k < 4; ++k) {
                const float4 y = read4(&shared.right[j + k][64 * c + 4 * thread_x()]);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const float x = k == 0 ? w[i].x : k == 1 ? w[i].y : k == 2 ? w[i].z : w[i].w;
                    float* to = &result[i][4 * c];
                    to[0] = fmaf(x, y.x, to[0]), to[1] = fmaf(x, y.y, to[1]);
                    to[2] = fmaf(x, y.z, to[2]), to[3] = fmaf(x, y.w, to[3]);
                }
            }
    }
}

template <int kOut, class T>
__device__ void store(T* to, std::int64_t stride, int row, int column, const AttentionSizes& z,
                      const float (&result)[4][kOut / 16], const float (&factor)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int c = 0; c < kOut / 16; ++c) {
            const int t = row + 4 * thread_y() + i, d = column + c / 4 * 64 + 4 * thread_x() + c % 4;
            if (t < z.T && d < z.D) to[t * stride + d] = from_float<T>(factor[i] * result[i][c]);
        }
}

// Over the 16 lanes that hold a row of scores.
__device__ inline float row_sum(float x) {
    for (int lane = kSide / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(kAllLanes, x, lane);
    return x;
}
__device__ inline float row_max(float x) {
    for (int lane = kSide / 2; lane > 0; lane /= 2) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, lane));
    return x;
}

// What a block does: tile `rank` of a head, columns from `column` of the result.
struct Block {
    AttentionTask task;
    int column;
    __device__ Block(const AttentionSizes& z, int width) {
        const unsigned parts = (z.D + width - 1) / width;
        task = attention_task(z, blockIdx.x / parts, (z.T + kTile - 1) / kTile);
        column = static_cast<int>(blockIdx.x % parts) * width;
    }
};

template <int kOut, class T>
__global__ void __launch_bounds__(kThreads, 2)
    attention_any_forward(T* out, float* lse, const T* qkv, AttentionSizes z, bool packed) {
    extern __shared__ __align__(16) unsigned char bytes[];
    auto& shared = *reinterpret_cast<Shared<kOut>*>(bytes);
    const Block block(z, kOut);
    const int first = ((z.T + kTile - 1) / kTile - 1 - block.task.rank) * kTile;
    const T* head = qkv + z.qkv(block.task.head);
    const Matrix<T> q{head, 3 * z.C, z.T, z.D, packed}, k{head + z.C, 3 * z.C, z.T, z.D, packed};
    const Matrix<T> v{head + 2 * z.C, 3 * z.C, z.T, z.D, packed};

    float o[4][kOut / 16] = {}, max[4], sum[4] = {};
    for (float& x : max) x = -INFINITY;
    for (int key = 0; key <= first; key += kTile) {
        float s[4][4];
        multiply_rows(s, shared, q, first, k, key);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            float highest = max[i], total = 0;
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const bool seen = key + thread_x() + kSide * j <= first + 4 * thread_y() + i;
                s[i][j] = seen ? s[i][j] * z.scale : -INFINITY;
                highest = fmaxf(highest, s[i][j]);
            }
            highest = row_max(highest);
            const float factor = exp2f((max[i] - highest) * kLog2E);
            max[i] = highest;
#pragma unroll
            for (int j = 0; j < 4; ++j) total += s[i][j] = exp2f((s[i][j] - highest) * kLog2E);
            sum[i] = sum[i] * factor + total;
#pragma unroll
            for (int c = 0; c < kOut / 16; ++c) o[i][c] *= factor;
        }
        add_weighted(o, shared, s, v, key, block.column);
    }
    float factor[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float total = row_sum(sum[i]);
        const int t = first + 4 * thread_y() + i;
        factor[i] = 1 / total;
        if (thread_x() == 0 && block.column == 0 && t < z.T) lse[z.row(block.task.head, t)] = max[i] + logf(total);
    }
    store<kOut>(out + z.out(block.task.head), z.C, first, block.column, z, o, factor);
}

// The matrices of one head in the backward pass.
template <class T>
struct BackwardHead {
    Matrix<T> q, k, v, dout;
    const RowStatistics* statistics;
    __device__ BackwardHead(const T* dout_, const RowStatistics* all, const T* qkv, const AttentionSizes& z,
                            unsigned head, bool packed)
        : q{qkv + z.qkv(head), 3 * z.C, z.T, z.D, packed},
          k{q.data + z.C, 3 * z.C, z.T, z.D, packed},
          v{q.data + 2 * z.C, 3 * z.C, z.T, z.D, packed},
          dout{dout_ + z.out(head), z.C, z.T, z.D, packed},
          statistics(all + std::int64_t{head} * z.padded_T) {}
};
__device__ inline float probability(float score, const RowStatistics& row, bool seen, const AttentionSizes& z) {
    return seen ? exp2f(fmaf(score, z.scale_log2, -row.lse)) : 0.0f;
}

template <int kOut, class T>
__global__ void __launch_bounds__(kThreads)
    attention_any_backward_keys(T* dqkv, const T* dout, const RowStatistics* statistics, const T* qkv, AttentionSizes z,
                                bool packed) {
    extern __shared__ __align__(16) unsigned char bytes[];
    auto& shared = *reinterpret_cast<Shared<kOut>*>(bytes);
    const Block block(z, kOut);
    const int first = block.task.rank * kTile;
    const BackwardHead<T> head(dout, statistics, qkv, z, block.task.head, packed);

    float dk[4][kOut / 16] = {}, dv[4][kOut / 16] = {};
    for (int query = first; query < z.T; query += kTile) {
        float p[4][4], ds[4][4];
        multiply_rows(p, shared, head.k, first, head.q, query);
        multiply_rows(ds, shared, head.v, first, head.dout, query);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const int t = query + thread_x() + kSide * j;
            const RowStatistics row = head.statistics[t];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                p[i][j] = probability(p[i][j], row, first + 4 * thread_y() + i <= t, z);
                ds[i][j] = p[i][j] * (ds[i][j] - row.delta);
            }
        }
        add_weighted(dv, shared, p, head.dout, query, block.column);
        add_weighted(dk, shared, ds, head.q, query, block.column);
    }
    const float scale[4] = {z.scale, z.scale, z.scale, z.scale}, one[4] = {1, 1, 1, 1};
    T* to = dqkv + z.qkv(block.task.head);
    store<kOut>(to + z.C, 3 * z.C, first, block.column, z, dk, scale);
    store<kOut>(to + 2 * z.C, 3 * z.C, first, block.column, z, dv, one);
}

template <int kOut, class T>
__global__ void __launch_bounds__(kThreads, 2)
    attention_any_backward_queries(T* dqkv, const T* dout, const RowStatistics* statistics, const T* qkv,
                                   AttentionSizes z, bool packed) {
    extern __shared__ __align__(16) unsigned char bytes[];
    auto& shared = *reinterpret_cast<Shared<kOut>*>(bytes);
    const Block block(z, kOut);
    const int first = ((z.T + kTile - 1) / kTile - 1 - block.task.rank) * kTile;
    const BackwardHead<T> head(dout, statistics, qkv, z, block.task.head, packed);

    float dq[4][kOut / 16] = {};
    for (int key = 0; key <= first; key += kTile) {
        float p[4][4], ds[4][4];
        multiply_rows(p, shared, head.q, first, head.k, key);
        multiply_rows(ds, shared, head.dout, first, head.v, key);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int t = first + 4 * thread_y() + i;
            const RowStatistics row = head.statistics[t];
#pragma unroll
            for (int j = 0; j < 4; ++j)
                ds[i][j] = probability(p[i][j], row, key + thread_x() + kSide * j <= t, z) * (ds[i][j] - row.delta);
        }
        add_weighted(dq, shared, ds, head.k, key, block.column);
    }
    const float scale[4] = {z.scale, z.scale, z.scale, z.scale};
    store<kOut>(dqkv + z.qkv(block.task.head), 3 * z.C, first, block.column, z, dq, scale);
}

// Calls f.template operator()<T, kOut>(grid, packed): wide results only where a narrow one would not do.
template <class F>
void dispatch_any(const AttentionSizes& z, DType dtype, std::initializer_list<const void*> tensors, F&& f) {
    dispatch(dtype, [&]<class T>() {
        constexpr int kCount = Pack<T>::kCount;
        const bool packed =
            z.D % kCount == 0 && z.C % kCount == 0 && std::all_of(tensors.begin(), tensors.end(), aligned16);
        const auto with = [&]<int kOut>() {
            const std::int64_t blocks = divide_up(z.T, kTile) * z.all_heads * divide_up(z.D, kOut);
            f.template operator()<T, kOut>(Grid{static_cast<unsigned>(blocks), kThreads, sizeof(Shared<kOut>)}, packed);
        };
        if (z.D <= 64)
            with.template operator()<64>();
        else
            with.template operator()<128>();
    });
}

}  // namespace

void run_any(Cuda& cuda, const AttentionForward& op) {
    const AttentionSizes z(op.out.shape, op.heads);
    dispatch_any(z, op.out.dtype, {op.qkv.data}, [&]<class T, int kOut>(const Grid& grid, bool packed) {
        launch(cuda, grid, attention_any_forward<kOut, T>, data<T>(op.out), data<float>(op.lse), data<T>(op.qkv), z,
               packed);
    });
}

void run_any(Cuda& cuda, const AttentionBackward& op, const RowStatistics* statistics) {
    const AttentionSizes z(op.out.shape, op.heads);
    dispatch_any(z, op.out.dtype, {op.qkv.data, op.dout.data}, [&]<class T, int kOut>(const Grid& grid, bool packed) {
        launch(cuda, grid, attention_any_backward_keys<kOut, T>, data<T>(op.dqkv), data<T>(op.dout), statistics,
               data<T>(op.qkv), z, packed);
        launch(cuda, grid, attention_any_backward_queries<kOut, T>, data<T>(op.dqkv), data<T>(op.dout), statistics,
               data<T>(op.qkv), z, packed);
    });
}

}  // namespace steepest::cuda
