// Is every element of a tensor finite? For looking into a bad step, not for training.
//
// One thread a few elements; each that finds a NaN or an infinity writes the same word, so no order matters. Reads the
// tensor once.
#include "kernels/cuda/gpu.h"

#include <algorithm>

namespace steepest {

namespace {

template <class T>
__global__ void find_nonfinite(int* found, const T* x, std::int64_t count) {
    const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
    bool bad = false;
    for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride)
        bad |= !isfinite(cuda::to_float(x[i]));
    if (bad) atomicExch(found, 1);
}

}  // namespace

bool all_finite(Cuda& cuda, const ConstTensor& tensor) {
    int* found = cuda.scratch<int>(1);
    fill_zero(cuda, found, sizeof *found);
    const std::int64_t blocks =
        std::min<std::int64_t>(cuda::divide_up(tensor.count(), 256), 8 * cuda.multiprocessors());
    cuda::dispatch(tensor.dtype, [&]<class T>() {
        cuda::launch(cuda, {static_cast<unsigned>(blocks), 256}, find_nonfinite<T>, found, cuda::data<T>(tensor),
                     tensor.count());
    });
    int host = 0;
    copy_to_host(cuda, &host, found, sizeof host);
    return host == 0;
}

}  // namespace steepest
