#pragma once
// Stand-in for NVIDIA's libcublasLt.so.13: matrix products on the host behind the real header, ordered with the streams
// of the stand-in libcudart and captured into its graphs.
//
// D = epilogue(alpha op(A) op(B) + beta C), f32, tf32 or bf16 inputs; each element is a sum of exact products in
// double, rounded once to f32, then the epilogue in f32. Stricter than the library where its documentation is: shapes,
// leading dimensions, alignment, types of bias and auxiliary matrix, and that each operand lies in one live allocation.
// A read of memory that nobody wrote is reported as a kernel's would be.
#include <array>
#include <cstdint>
#include <cublasLt.h>
#include <string>

namespace gpu_sim {

// These lie in the opaque structs of cublasLt.h.
struct Layout {
    std::int32_t type, order;
    std::uint64_t rows, cols;
    std::int64_t ld;
    std::int32_t batches, batch_mode;
    std::int64_t stride;
};
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));

struct Description {
    std::int32_t compute, scale_type, pointer_mode, transpose_a, transpose_b, transpose_c, fill_mode;
    std::uint32_t epilogue;
    void* bias;
    std::int64_t bias_stride;
    void* aux;
    std::int64_t aux_ld, aux_stride;
    std::int32_t aux_type, bias_type, multiprocessors;
    std::int8_t fast_accumulation;
};
static_assert(sizeof(Description) <= sizeof(cublasLtMatmulDescOpaque_t));

struct Preference {
    std::uint32_t search_mode, reduction_mask;
    std::uint64_t max_workspace;
    std::uint32_t alignment_a, alignment_b, alignment_c, alignment_d;
    float max_waves;
    std::uint64_t implementation_mask;
};
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));

struct Algorithm {
    std::int32_t id;
    std::uint32_t tile, split_k, reduction, swizzle, custom, stages;
    std::uint16_t inner, cluster;
    std::uint32_t alignment;  // bytes that the pointers must be multiples of
    std::int32_t compute, type_ab, type_d;
    std::uint32_t magic;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));
inline constexpr std::uint32_t kAlgorithm = 0x6c741301;

struct Matrix {
    Layout layout;
    const void* data = nullptr;
    // Bytes from the first element to the last, of one matrix and of the batch.
    std::uint64_t bytes() const;
    std::uint64_t batch_bytes() const;
    std::uint64_t element_bytes() const { return layout.type == CUDA_R_32F ? 4 : 2; }
};

struct Problem {
    Description description;
    Matrix a, b, c, d;
    double alpha = 1, beta = 0;
    std::uint64_t m = 0, n = 0, k = 0;
    void* workspace = nullptr;
    std::uint64_t workspace_bytes = 0;

    bool has(std::uint32_t bit) const { return (description.epilogue & bit) != 0; }
    bool gelu() const { return has(32); }
    bool gelu_gradient() const { return has(64); }
    bool adds_bias() const { return has(CUBLASLT_EPILOGUE_BIAS); }
    bool bias_gradient() const { return has(16 | CUBLASLT_EPILOGUE_BGRADA | CUBLASLT_EPILOGUE_BGRADB); }
    bool has_aux() const { return has(128); }
    std::uint64_t bias_length() const { return has(CUBLASLT_EPILOGUE_BGRADB) ? n : m; }
    double flops() const { return 2.0 * double(m) * double(n) * double(k) * d.layout.batches; }
    // Each operand once.
    std::uint64_t least_bytes() const;
    std::string text() const;
};

struct Refusal {
    cublasStatus_t status;
    std::string why;
};
// Throws Refusal. The first of shapes and types, the second of pointers too.
Problem checked_problem(const Description&, const Layout& a, const Layout& b, const Layout& c, const Layout& d);
void check_pointers(const Problem&, const Algorithm*);
std::uint64_t workspace_of(const Problem&, const Algorithm&);

}  // namespace gpu_sim
