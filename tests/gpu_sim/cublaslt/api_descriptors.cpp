// Descriptors of products, matrices and preferences.
#include "tests/gpu_sim/cublaslt/attributes.h"
#include "tests/gpu_sim/runtime/library.h"

using namespace gpu_sim;

namespace {

constexpr Attribute kDescription[] = {
    {CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, offsetof(Description, compute), 4},
    {CUBLASLT_MATMUL_DESC_SCALE_TYPE, offsetof(Description, scale_type), 4},
    {CUBLASLT_MATMUL_DESC_POINTER_MODE, offsetof(Description, pointer_mode), 4},
    {CUBLASLT_MATMUL_DESC_TRANSA, offsetof(Description, transpose_a), 4},
    {CUBLASLT_MATMUL_DESC_TRANSB, offsetof(Description, transpose_b), 4},
    {CUBLASLT_MATMUL_DESC_TRANSC, offsetof(Description, transpose_c), 4},
    {CUBLASLT_MATMUL_DESC_FILL_MODE, offsetof(Description, fill_mode), 4},
    {CUBLASLT_MATMUL_DESC_EPILOGUE, offsetof(Description, epilogue), 4},
    {CUBLASLT_MATMUL_DESC_BIAS_POINTER, offsetof(Description, bias), 8},
    {CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, offsetof(Description, bias_stride), 8},
    {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, offsetof(Description, aux), 8},
    {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, offsetof(Description, aux_ld), 8},
    {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, offsetof(Description, aux_stride), 8},
    {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, offsetof(Description, aux_type), 4},
    {CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, offsetof(Description, bias_type), 4},
    {CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, offsetof(Description, multiprocessors), 4},
    {CUBLASLT_MATMUL_DESC_FAST_ACCUM, offsetof(Description, fast_accumulation), 1},
};
constexpr Attribute kLayout[] = {
    {CUBLASLT_MATRIX_LAYOUT_TYPE, offsetof(Layout, type), 4},
    {CUBLASLT_MATRIX_LAYOUT_ORDER, offsetof(Layout, order), 4},
    {CUBLASLT_MATRIX_LAYOUT_ROWS, offsetof(Layout, rows), 8},
    {CUBLASLT_MATRIX_LAYOUT_COLS, offsetof(Layout, cols), 8},
    {CUBLASLT_MATRIX_LAYOUT_LD, offsetof(Layout, ld), 8},
    {CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, offsetof(Layout, batches), 4},
    {CUBLASLT_MATRIX_LAYOUT_BATCH_MODE, offsetof(Layout, batch_mode), 4},
    {CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, offsetof(Layout, stride), 8},
};
constexpr Attribute kPreference[] = {
    {CUBLASLT_MATMUL_PREF_SEARCH_MODE, offsetof(Preference, search_mode), 4},
    {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, offsetof(Preference, max_workspace), 8},
    {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, offsetof(Preference, reduction_mask), 4},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, offsetof(Preference, alignment_a), 4},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, offsetof(Preference, alignment_b), 4},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, offsetof(Preference, alignment_c), 4},
    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, offsetof(Preference, alignment_d), 4},
    {CUBLASLT_MATMUL_PREF_MAX_WAVES_COUNT, offsetof(Preference, max_waves), 4},
    {CUBLASLT_MATMUL_PREF_IMPL_MASK, offsetof(Preference, implementation_mask), 8},
};

cublasStatus_t named(cublasStatus_t status, const char* function, int attribute) {
    if (status != CUBLAS_STATUS_SUCCESS)
        library_report(std::string(function) + ": attribute " + std::to_string(attribute) +
                       " is unknown to the stand-in, or its size is wrong");
    return status;
}

template <class Opaque, class T>
Opaque* opaque(const T& value) {
    auto* memory = new Opaque{};
    std::memcpy(static_cast<void*>(memory), &value, sizeof value);
    return memory;
}

Description description(cublasComputeType_t compute, cudaDataType_t scale) {
    Description d{};
    d.compute = compute, d.scale_type = scale;
    d.fill_mode = CUBLAS_FILL_MODE_FULL;
    d.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    d.aux_type = d.bias_type = -1;
    return d;
}

Layout layout(cudaDataType type, std::uint64_t rows, std::uint64_t cols, std::int64_t ld) {
    return {type, CUBLASLT_ORDER_COL, rows, cols, ld, 1, 0, 0};
}

constexpr Preference kDefaultPreference{0, CUBLASLT_REDUCTION_SCHEME_MASK, 0, 256, 256, 256, 256, 0, ~std::uint64_t{0}};

}  // namespace

extern "C" {

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t d, size_t size, cublasComputeType_t compute,
                                               cudaDataType_t scale) {
    const Description value = description(compute, scale);
    if (!d || size < sizeof value) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(static_cast<void*>(d), &value, sizeof value);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* d, cublasComputeType_t compute, cudaDataType_t scale) {
    *d = opaque<cublasLtMatmulDescOpaque_t>(description(compute, scale));
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) {
    delete d;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t a,
                                              const void* from, size_t size) {
    return named(set_attribute(kDescription, d, a, from, size), __func__, a);
}
cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t a, void* to,
                                              size_t size, size_t* written) {
    return named(get_attribute(kDescription, d, a, to, size, written), __func__, a);
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t l, size_t size, cudaDataType type,
                                                 uint64_t rows, uint64_t cols, int64_t ld) {
    const Layout value = layout(type, rows, cols, ld);
    if (!l || size < sizeof value) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(static_cast<void*>(l), &value, sizeof value);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* l, cudaDataType type, uint64_t rows, uint64_t cols,
                                          int64_t ld) {
    *l = opaque<cublasLtMatrixLayoutOpaque_t>(layout(type, rows, cols, ld));
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) {
    delete l;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t a,
                                                const void* from, size_t size) {
    return named(set_attribute(kLayout, l, a, from, size), __func__, a);
}
cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t a, void* to,
                                                size_t size, size_t* written) {
    return named(get_attribute(kLayout, l, a, to, size, written), __func__, a);
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t p, size_t size) {
    if (!p || size < sizeof kDefaultPreference) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(static_cast<void*>(p), &kDefaultPreference, sizeof kDefaultPreference);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* p) {
    *p = opaque<cublasLtMatmulPreferenceOpaque_t>(kDefaultPreference);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) {
    delete p;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t a, const void* from,
                                                    size_t size) {
    return named(set_attribute(kPreference, p, a, from, size), __func__, a);
}
cublasStatus_t cublasLtMatmulPreferenceGetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t a, void* to, size_t size,
                                                    size_t* written) {
    return named(get_attribute(kPreference, p, a, to, size, written), __func__, a);
}

}  // extern "C"
