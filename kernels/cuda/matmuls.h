#pragma once
// Products of matrices by cuBLASLt: for each product the descriptors and the algorithm, chosen once.
//
// Which algorithm the library proposes depends on its version and on the device, and algorithms add in different
// orders. So the choices can be read and given back, and a run that resumes uses exactly those of its first part.
// Reduction in place (split k whose parts meet in the result) is never asked for: its order of additions is not fixed;
// parts that meet in the workspace are added in a fixed order, and weight gradients (few rows and columns, long k) need
// them.
//
// Cost: the first product of a kind asks the library's heuristic, or with `search` runs up to 8 of its proposals 4
// times; later ones look a key up. Device memory: kWorkspaceBytes.
#include "core/tensor.h"
#include "kernels/cuda/cublaslt.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace steepest::cuda {

// A matrix as it lies in memory, row-major.
struct ConstMatrix {
    const void* data;
    bool transposed = false;  // memory holds the transpose of what the product means
    std::int64_t ld = 0;      // elements from row to row of memory; 0: dense
    std::int64_t stride = 0;  // elements from one matrix of the batch to the next; 0: the same for all
};
struct Matrix {
    void* data;
    std::int64_t ld = 0, stride = 0;
};

// c = alpha a b + beta c for each of `batch` triples of matrices, in row-major terms: a (m, k), b (k, n), c (m, n). c
// is not read if beta is 0.
//
//   a, b            `in`: f32 or bf16        accumulated in f32
//   c               `out`: f32, or bf16 if `in` is; aliases neither a nor b
//
// and at most one of these, without a batch:
//
//   bias            (n), of `out`'s dtype: added to every row of c
//   preactivation   (m, n), of `out`'s dtype, dense: c is multiplied by gelu' of it, the tanh approximation's
//   a_sums          (m), of `out`'s dtype: where the sums of a's rows go, overwritten
//
// Any sizes; faster where rows begin at multiples of 16 bytes, and only there with a preactivation.
struct Product {
    std::int64_t m, n, k, batch = 1;
    DType in, out;
    ConstMatrix a, b;
    Matrix c;
    const void *bias = nullptr, *preactivation = nullptr;
    void* a_sums = nullptr;
    float alpha = 1, beta = 0;
};

// What names an algorithm of cuBLASLt: CUBLASLT_ALGO_CONFIG_*.
struct MatmulAlgorithm {
    std::int32_t id = 0, split_k = 1;
    std::uint32_t tile = 0, stages = 0, reduction = 0, swizzle = 0, custom = 0;
    std::uint16_t inner = 0, cluster = 0;

    bool operator==(const MatmulAlgorithm&) const = default;
};

class Matmuls {
public:
    static constexpr std::int64_t kWorkspaceBytes = std::int64_t{32} << 20;
    struct Options {
        bool search = false;  // time the library's proposals instead of taking its first; not while a graph is captured
        bool tf32 = false;    // f32 operands are rounded to 11 bits, for tensor cores
    };
    // By the product's text: sizes, dtypes, transpositions, strides, alignment.
    using Records = std::map<std::string, MatmulAlgorithm>;

    Matmuls();
    Matmuls(const Matmuls&) = delete;
    Matmuls& operator=(const Matmuls&) = delete;
    ~Matmuls();

    // The library and its version, for manifests; why there is none, if there is none.
    std::string describe() const;

    // May be changed at any time; products already chosen for `search` stay.
    Options options;

    // Enqueues the product. Always on the same stream: products share the workspace. The first one allocates, which a
    // graph under capture cannot.
    void run(cudaStream_t stream, const Product& product);
    // False, and nothing is enqueued, where the library has no algorithm: plain products and those with a bias it has
    // at any size.
    bool try_run(cudaStream_t stream, const Product& product);

    // Every choice so far, and those given to restore().
    const Records& record() const { return records_; }
    // From now on these products use these algorithms; one that the library refuses is an error that names the product.
    void restore(const Records& records);

private:
    struct Key;
    struct Plan;
    struct State;

    // Null if the library has no algorithm for the product.
    const Plan* plan(cudaStream_t stream, const Product& product);
    // False if there is none.
    bool choose(cudaStream_t stream, const Product& product, const Key& key, Plan& plan);

    std::unique_ptr<State> state_;  // handle, workspace and plans; none before the first product
    Records records_;
};

}  // namespace steepest::cuda
