// Random numbers on the GPU: Philox, and Box and Muller's transform in double as on the host, so that both backends
// draw the same. A thread a pair of numbers, which costs some 200 instructions of double precision: as long as 100
// bytes of memory traffic, where double runs at half the rate of float.
#include "kernels/cuda/tensor_table.h"
#include "ops/gaussian.h"

namespace steepest {

namespace {

struct Stream {
    std::uint32_t key[2];
    const float* step;
};

__device__ inline uint4 philox(uint4 c, std::uint32_t k0, std::uint32_t k1) {
    for (int round = 0; round < 10; ++round) {
        const std::uint32_t high0 = __umulhi(0xD2511F53u, c.x), high1 = __umulhi(0xCD9E8D57u, c.z);
        c = make_uint4(high1 ^ c.y ^ k0, 0xCD9E8D57u * c.z, high0 ^ c.w ^ k1, 0xD2511F53u * c.x);
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return c;
}

// In [0, 1), 53 bits.
__device__ inline double unit(std::uint32_t high, std::uint32_t low) {
    return static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

// What a pair of uniform numbers becomes.
struct Normals {
    float scale;
    __device__ float2 operator()(double a, double b) const {
        // Of 1 - a, which is exact, as good as log1p(-a).
        const double radius = sqrt(-2 * log(1 - a));
        double sine, cosine;
        sincospi(2 * b, &sine, &cosine);
        return make_float2(scale * static_cast<float>(radius * cosine), scale * static_cast<float>(radius * sine));
    }
};
struct Choices {
    double probability;
    __device__ float2 operator()(double a, double b) const {
        return make_float2(a < probability ? 1 : 0, b < probability ? 1 : 0);
    }
};

template <class Values>
__global__ void __launch_bounds__(cuda::kChunkThreads)
    draw(const __grid_constant__ cuda::TensorTable<1> table, const Stream stream, const Values values) {
    const auto chunk = table.chunk(blockIdx.x);
    float* x = static_cast<float*>(chunk.tensor.data[0]);
    const auto step = static_cast<std::uint64_t>(*stream.step);
    // Chunks begin at even places.
    for (int i = 2 * threadIdx.x; i < chunk.count; i += 2 * cuda::kChunkThreads) {
        const std::int64_t at = chunk.begin + i;
        const auto block = static_cast<std::uint64_t>(at / 2) + (std::uint64_t(chunk.tensor.index) << 32);
        const uint4 words =
            philox(make_uint4(static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                              static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)),
                   stream.key[0], stream.key[1]);
        const float2 pair = values(unit(words.x, words.y), unit(words.z, words.w));
        x[at] = pair.x;
        if (i + 1 < chunk.count) x[at + 1] = pair.y;
    }
}

template <class Op, class Values>
void launch_draw(Cuda& cuda, const Op& op, const Values& values) {
    const Stream stream{{op.key[0], op.key[1]}, cuda::data<float>(op.step)};
    cuda::for_each_table(std::array{&op.x}, nullptr, [&](const cuda::TensorTable<1>& table) {
        cuda::launch(cuda, cuda::chunk_grid(table), draw<Values>, table, stream, values);
    });
}

}  // namespace

void run(Cuda& cuda, const Gaussian& op) { launch_draw(cuda, op, Normals{op.scale}); }

void run(Cuda& cuda, const Bernoulli& op) { launch_draw(cuda, op, Choices{op.probability}); }

}  // namespace steepest
