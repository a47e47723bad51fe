// GELU alone, on the GPU.
//
// One thread one pack of 16 bytes of each tensor. Forward moves 2 elements for about 25 instructions, backward 3:
// limited by memory (an H100 issues some 35 instructions in the time of 4 bytes). Where a tensor does not begin at a
// multiple of 16 bytes, and for the last few elements, one element a thread.
#include "kernels/cuda/gelu.h"
#include "kernels/cuda/gpu.h"
#include "ops/gelu.h"

namespace steepest {
namespace {

constexpr int kThreads = 256;

struct Forward {
    __device__ float operator()(float x, float) const { return cuda::gelu(x); }
};
struct Backward {
    __device__ float operator()(float x, float dy) const { return dy * cuda::gelu_derivative(x); }
};

// Of x[first, count), one element a thread. `dy` is not read if the function has no use for it.
template <class Function, class T>
__global__ void gelu_elements(T* y, const T* x, const T* dy, std::int64_t first, std::int64_t count) {
    const std::int64_t i = first + std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= count) return;
    const float gradient = dy ? cuda::to_float(dy[i]) : 0.0f;
    y[i] = cuda::from_float<T>(Function()(cuda::to_float(x[i]), gradient));
}

template <class Function, class T>
__global__ void gelu_packs(T* y, const T* x, const T* dy, std::int64_t packs) {
    using Pack = cuda::Pack<T>;
    const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= packs) return;
    const Pack in = cuda::load_pack(x + i * Pack::kCount);
    Pack gradient = in;
    if (dy) gradient = cuda::load_pack(dy + i * Pack::kCount);
    Pack out;
#pragma unroll
    for (int j = 0; j < Pack::kCount; ++j)
        out[j] = cuda::from_float<T>(Function()(cuda::to_float(in[j]), cuda::to_float(gradient[j])));
    cuda::store_pack(y + i * Pack::kCount, out);
}

template <class Function, class T>
void each_element(Cuda& cuda, T* y, const T* x, const T* dy, std::int64_t count) {
    const bool aligned = cuda::aligned16(y) && cuda::aligned16(x) && cuda::aligned16(dy);
    const std::int64_t packs = aligned ? count / cuda::Pack<T>::kCount : 0, rest = packs * cuda::Pack<T>::kCount;
    const auto blocks = [](std::int64_t n) { return static_cast<unsigned>(cuda::divide_up(n, kThreads)); };
    cuda::launch(cuda, {blocks(packs), kThreads}, gelu_packs<Function, T>, y, x, dy, packs);
    cuda::launch(cuda, {blocks(count - rest), kThreads}, gelu_elements<Function, T>, y, x, dy, rest, count);
}

}  // namespace

void run(Cuda& cuda, const GeluForward& op) {
    cuda::dispatch(op.x.dtype, [&]<class T>() {
        each_element<Forward, T>(cuda, cuda::data<T>(op.y), cuda::data<T>(op.x), nullptr, op.x.count());
    });
}

void run(Cuda& cuda, const GeluBackward& op) {
    cuda::dispatch(op.x.dtype, [&]<class T>() {
        each_element<Backward, T>(cuda, cuda::data<T>(op.dx), cuda::data<T>(op.x), cuda::data<T>(op.dy), op.x.count());
    });
}

}  // namespace steepest
