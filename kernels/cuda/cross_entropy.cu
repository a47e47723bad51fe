// Softmax cross-entropy on the GPU, one block a row.
//
// The first pass over the row finds its maximum and its sum of exponentials together (Milakov, Gimelshein 2018,
// arXiv:1805.02867): each thread rescales its sum when its maximum grows, once a pack of 16 bytes. The second pass
// computes the exponentials again and writes the gradient, to where the logits were if the caller wants. A row of
// GPT-2's vocabulary is 100 KB in bf16; those of the blocks that run at one time fit the second-level cache (26 MB of
// 40 or more), so memory sees 2 N Vp elements: 4 bytes a logit in bf16, for about 32 instructions, which is where an
// H100 issues as fast as it loads.
//
// The target's logit stays out of the first pass: the sum of the others, s, gives loss = log(1 + s) and the target's
// gradient -s / (1 + s) without the cancellation of 1 - p where the model is sure of the right answer.
//
// Rows that do not begin at a multiple of 16 bytes take their first elements one at a time; where dlogits lies
// differently from logits, its stores are one element each.
#include "kernels/cuda/gpu.h"
#include "ops/cross_entropy.h"

#include <algorithm>
#include <cfloat>

namespace steepest {
namespace {

constexpr int kMaxThreads = 512;

// Sum of exp(x - max) over some elements. An empty one has the lowest finite maximum, so that even -inf - max is no
// NaN.
struct Exponentials {
    float max = -FLT_MAX, sum = 0;

    __device__ void rise(float to) {
        if (!(to > max)) return;
        sum *= expf(max - to);
        max = to;
    }
    __device__ void add(float x) {
        rise(x);
        sum += expf(x - max);
    }
    // The same bytes whichever of two is asked: products and sum each round, in no fused operation.
    __device__ Exponentials with(const Exponentials& other) const {
        const float m = fmaxf(max, other.max);
        return {m, __fadd_rn(__fmul_rn(sum, expf(max - m)), __fmul_rn(other.sum, expf(other.max - m)))};
    }
};

__device__ Exponentials over_warp(Exponentials e) {
    for (int lane = cuda::kWarp / 2; lane > 0; lane /= 2)
        e = e.with({__shfl_xor_sync(cuda::kAllLanes, e.max, lane), __shfl_xor_sync(cuda::kAllLanes, e.sum, lane)});
    return e;
}

__device__ Exponentials over_block(Exponentials e) {
    __shared__ Exponentials partial[kMaxThreads / cuda::kWarp];
    const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp, warps = blockDim.x / cuda::kWarp;
    e = over_warp(e);
    if (lane == 0) partial[warp] = e;
    __syncthreads();
    return over_warp(lane < warps ? partial[lane] : Exponentials());
}

// Where the packs of a row lie: elements before the first, and how many.
template <class T>
struct Packs {
    std::int64_t begin, count;

    __device__ Packs(const T* row, std::int64_t length) {
        const std::int64_t past = reinterpret_cast<std::uintptr_t>(row) % 16 / sizeof(T);
        begin = past ? cuda::Pack<T>::kCount - past : 0;
        if (begin > length) begin = length;
        count = (length - begin) / cuda::Pack<T>::kCount;
    }
    __device__ std::int64_t at(std::int64_t pack) const { return begin + pack * cuda::Pack<T>::kCount; }
    // The i-th of the elements that are in no pack, of those before and behind.
    __device__ std::int64_t outside(std::int64_t i) const { return i < begin ? i : i + count * cuda::Pack<T>::kCount; }
    __device__ std::int64_t outside_count(std::int64_t length) const { return length - count * cuda::Pack<T>::kCount; }
};

template <class T>
__device__ Exponentials exponentials_but(std::int64_t target, const T* x, std::int64_t vocab) {
    using Pack = cuda::Pack<T>;
    const Packs<T> packs(x, vocab);
    Exponentials e;
    for (std::int64_t p = threadIdx.x; p < packs.count; p += blockDim.x) {
        const Pack pack = cuda::load_pack(x + packs.at(p));
        float value[Pack::kCount];
#pragma unroll
        for (int j = 0; j < Pack::kCount; ++j) value[j] = cuda::to_float(pack[j]);
        const std::int64_t own = target - packs.at(p);
        if (own >= 0 && own < Pack::kCount) {
#pragma unroll
            for (int j = 0; j < Pack::kCount; ++j) value[j] = j == own ? -INFINITY : value[j];
        }
        float max = value[0];
#pragma unroll
        for (int j = 1; j < Pack::kCount; ++j) max = fmaxf(max, value[j]);
        e.rise(max);
#pragma unroll
        for (int j = 0; j < Pack::kCount; ++j) e.sum += expf(value[j] - e.max);
    }
    for (std::int64_t i = threadIdx.x; i < packs.outside_count(vocab); i += blockDim.x)
        if (const std::int64_t v = packs.outside(i); v != target) e.add(cuda::to_float(x[v]));
    return e;
}

// What every gradient of a row has in common.
struct Row {
    float max, factor, of_target;
    std::int64_t target;

    __device__ float gradient(std::int64_t v, float x) const {
        return v == target ? of_target : expf(x - max) * factor;
    }
};

template <class T>
__device__ void write_gradient(T* dx, const T* x, const Row& row, std::int64_t vocab, std::int64_t width) {
    using Pack = cuda::Pack<T>;
    const Packs<T> packs(x, vocab);
    const bool aligned = reinterpret_cast<std::uintptr_t>(dx) % 16 == reinterpret_cast<std::uintptr_t>(x) % 16;
    for (std::int64_t p = threadIdx.x; p < packs.count; p += blockDim.x) {
        const std::int64_t v = packs.at(p);
        const Pack in = cuda::load_pack_streaming(x + v);
        Pack out;
#pragma unroll
        for (int j = 0; j < Pack::kCount; ++j) out[j] = cuda::from_float<T>(row.gradient(v + j, cuda::to_float(in[j])));
        if (aligned) {
            cuda::store_pack_streaming(dx + v, out);
        } else {
#pragma unroll
            for (int j = 0; j < Pack::kCount; ++j) dx[v + j] = out[j];
        }
    }
    for (std::int64_t i = threadIdx.x; i < packs.outside_count(vocab); i += blockDim.x) {
        const std::int64_t v = packs.outside(i);
        dx[v] = cuda::from_float<T>(row.gradient(v, cuda::to_float(x[v])));
    }
    for (std::int64_t v = vocab + threadIdx.x; v < width; v += blockDim.x) dx[v] = cuda::from_float<T>(0);
}

// loss (N), dlogits (N, width) or null, logits (N, width), targets (N).
template <class T>
__global__ void __launch_bounds__(kMaxThreads)
    cross_entropy(float* loss, T* dlogits, const T* logits, const std::int32_t* targets, std::int64_t vocab,
                  std::int64_t width, float scale) {
    const std::int64_t n = blockIdx.x, target = targets[n];
    const T* x = logits + n * width;
    // Read before the barrier in over_block(): behind it the gradient may take its place.
    const float of_target = cuda::to_float(x[target]);

    const Exponentials others = over_block(exponentials_but(target, x, vocab));
    const float max = fmaxf(others.max, of_target);
    const float rest = others.sum * expf(others.max - max), own = expf(of_target - max), sum = rest + own;
    if (threadIdx.x == 0) {
        // What the subtraction rounds away is added to the logarithm, so that the loss rounds once.
        const float distance = max - of_target, lost = (max - distance) - of_target;
        loss[n] = distance == 0 ? log1pf(rest) : distance + (logf(sum) + lost);
    }
    if (!dlogits) return;
    const float factor = scale / sum;
    write_gradient(dlogits + n * width, x, {max, factor, -rest * factor, target}, vocab, width);
}

}  // namespace

void run(Cuda& cuda, const CrossEntropy& op) {
    cuda::dispatch(op.logits.dtype, [&]<class T>() {
        const std::int64_t packs = cuda::divide_up(op.vocab, cuda::Pack<T>::kCount);
        const std::int64_t threads =
            std::min<std::int64_t>(cuda::divide_up(packs, cuda::kWarp) * cuda::kWarp, kMaxThreads);
        cuda::launch(cuda, {static_cast<unsigned>(op.logits.shape.rows()), static_cast<unsigned>(threads)},
                     cross_entropy<T>, cuda::data<float>(op.loss), cuda::data<T>(op.dlogits), cuda::data<T>(op.logits),
                     cuda::data<std::int32_t>(op.targets), op.vocab, op.logits.shape.cols(), op.scale);
    });
}

}  // namespace steepest
