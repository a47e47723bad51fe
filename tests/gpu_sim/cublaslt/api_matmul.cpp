// Handles, algorithms, and the product.
#include "tests/gpu_sim/cublaslt/attributes.h"
#include "tests/gpu_sim/cublaslt/product.h"
#include "tests/gpu_sim/runtime/library.h"

#include <algorithm>
#include <vector>

using namespace gpu_sim;

namespace {

constexpr Attribute kAlgorithmFields[] = {
    {CUBLASLT_ALGO_CONFIG_ID, offsetof(Algorithm, id), 4},
    {CUBLASLT_ALGO_CONFIG_TILE_ID, offsetof(Algorithm, tile), 4},
    {CUBLASLT_ALGO_CONFIG_SPLITK_NUM, offsetof(Algorithm, split_k), 4},
    {CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, offsetof(Algorithm, reduction), 4},
    {CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, offsetof(Algorithm, swizzle), 4},
    {CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, offsetof(Algorithm, custom), 4},
    {CUBLASLT_ALGO_CONFIG_STAGES_ID, offsetof(Algorithm, stages), 4},
    {CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, offsetof(Algorithm, inner), 2},
    {CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, offsetof(Algorithm, cluster), 2},
};

constexpr int kIds[] = {21, 6, 66};

template <class T>
T read(const void* opaque) {
    T value{};
    if (!opaque) throw Refusal{CUBLAS_STATUS_INVALID_VALUE, "a descriptor is a null pointer"};
    std::memcpy(&value, opaque, sizeof value);
    return value;
}

template <class F>
cublasStatus_t guarded(const char* function, F&& body) {
    try {
        body();
        return CUBLAS_STATUS_SUCCESS;
    } catch (const Refusal& refusal) {
        library_report(std::string(function) + ": " + refusal.why + " (" + cublasLtGetStatusName(refusal.status) + ")");
        return refusal.status;
    }
}

Problem read_problem(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d) {
    return checked_problem(read<Description>(description), read<Layout>(a), read<Layout>(b), read<Layout>(c),
                           read<Layout>(d));
}

Algorithm plain(int id, std::int32_t compute, std::int32_t type_ab, std::int32_t type_d) {
    Algorithm a{};
    a.id = id, a.split_k = 1, a.alignment = 16;
    a.tile = CUBLASLT_MATMUL_TILE_128x128, a.stages = CUBLASLT_MATMUL_STAGES_32x3;
    a.compute = compute, a.type_ab = type_ab, a.type_d = type_d, a.magic = kAlgorithm;
    return a;
}

// Without a split of k, then with each way of adding the parts; those first that would waste the fewest tiles.
std::vector<Algorithm> candidates(const Problem& p, const Preference& preference) {
    constexpr std::uint32_t kTiles[] = {CUBLASLT_MATMUL_TILE_128x128, CUBLASLT_MATMUL_TILE_128x64,
                                        CUBLASLT_MATMUL_TILE_64x64};
    constexpr std::uint32_t kSplit = 4;
    const std::uint32_t alignment =
        std::min({preference.alignment_a, preference.alignment_b, preference.alignment_c, preference.alignment_d, 16u});
    std::vector<Algorithm> list;
    for (const std::uint32_t reduction :
         {CUBLASLT_REDUCTION_SCHEME_NONE, CUBLASLT_REDUCTION_SCHEME_INPLACE, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}) {
        const bool splits = reduction != CUBLASLT_REDUCTION_SCHEME_NONE;
        if (splits && (p.k < 32 * kSplit || !(preference.reduction_mask & reduction))) continue;
        for (std::size_t i = 0; i < std::size(kTiles); ++i) {
            Algorithm a = plain(kIds[i], p.description.compute, p.a.layout.type, p.d.layout.type);
            a.tile = kTiles[i], a.split_k = splits ? kSplit : 1, a.reduction = reduction, a.alignment = alignment;
            if (workspace_of(p, a) <= preference.max_workspace) list.push_back(a);
        }
    }
    return list;
}

cublasLtMatmulHeuristicResult_t result_of(const Problem& p, const Algorithm& a) {
    cublasLtMatmulHeuristicResult_t result{};
    std::memcpy(&result.algo, &a, sizeof a);
    result.workspaceSize = workspace_of(p, a);
    result.state = CUBLAS_STATUS_SUCCESS;
    result.wavesCount = 1;
    return result;
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = reinterpret_cast<cublasLtHandle_t>(new int(0));
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete reinterpret_cast<int*>(handle);
    return CUBLAS_STATUS_SUCCESS;
}
size_t cublasLtGetVersion() { return CUBLAS_VERSION; }
size_t cublasLtGetCudartVersion() { return 13000; }

const char* cublasLtGetStatusName(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS:
            return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_NOT_INITIALIZED:
            return "CUBLAS_STATUS_NOT_INITIALIZED";
        case CUBLAS_STATUS_ALLOC_FAILED:
            return "CUBLAS_STATUS_ALLOC_FAILED";
        case CUBLAS_STATUS_INVALID_VALUE:
            return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_ARCH_MISMATCH:
            return "CUBLAS_STATUS_ARCH_MISMATCH";
        case CUBLAS_STATUS_MAPPING_ERROR:
            return "CUBLAS_STATUS_MAPPING_ERROR";
        case CUBLAS_STATUS_EXECUTION_FAILED:
            return "CUBLAS_STATUS_EXECUTION_FAILED";
        case CUBLAS_STATUS_INTERNAL_ERROR:
            return "CUBLAS_STATUS_INTERNAL_ERROR";
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return "CUBLAS_STATUS_NOT_SUPPORTED";
        default:
            return "CUBLAS_STATUS_<unknown>";
    }
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
    return guarded(__func__, [&] {
        if (!handle || wanted < 1 || !results || !found)
            throw Refusal{CUBLAS_STATUS_INVALID_VALUE, "a null pointer, or no algorithm asked for"};
        *found = 0;
        const Problem p = read_problem(description, a, b, c, d);
        for (const Algorithm& algorithm : candidates(p, read<Preference>(preference)))
            if (*found < wanted) results[(*found)++] = result_of(p, algorithm);
    });
}

cublasStatus_t cublasLtMatmulAlgoGetIds(cublasLtHandle_t, cublasComputeType_t, cudaDataType_t, cudaDataType_t,
                                        cudaDataType_t, cudaDataType_t, cudaDataType_t, int wanted, int ids[],
                                        int* found) {
    *found = std::min<int>(wanted, std::size(kIds));
    std::copy_n(kIds, *found, ids);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoInit(cublasLtHandle_t, cublasComputeType_t compute, cudaDataType_t,
                                      cudaDataType_t type_a, cudaDataType_t, cudaDataType_t, cudaDataType_t type_d,
                                      int id, cublasLtMatmulAlgo_t* algo) {
    if (std::find(std::begin(kIds), std::end(kIds), id) == std::end(kIds)) return CUBLAS_STATUS_INVALID_VALUE;
    const Algorithm a = plain(id, compute, type_a, type_d);
    *algo = {};
    std::memcpy(algo, &a, sizeof a);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigSetAttribute(cublasLtMatmulAlgo_t* algo, cublasLtMatmulAlgoConfigAttributes_t a,
                                                    const void* from, size_t size) {
    return set_attribute(kAlgorithmFields, algo, a, from, size);
}
cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t a, void* to, size_t size,
                                                    size_t* written) {
    return get_attribute(kAlgorithmFields, algo, a, to, size, written);
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a,
                                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algo, cublasLtMatmulHeuristicResult_t* result) {
    return guarded(__func__, [&] {
        const auto algorithm = read<Algorithm>(algo);
        const Problem p = read_problem(description, a, b, c, d);
        if (algorithm.magic != kAlgorithm || algorithm.compute != p.description.compute ||
            algorithm.type_ab != p.a.layout.type || algorithm.type_d != p.d.layout.type || algorithm.split_k < 1)
            throw Refusal{CUBLAS_STATUS_NOT_SUPPORTED, "the algorithm is not one for this product"};
        *result = result_of(p, algorithm);
    });
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, size_t workspace_bytes,
                              cudaStream_t stream) {
    return guarded(__func__, [&] {
        if (!handle || !alpha || !beta) throw Refusal{CUBLAS_STATUS_INVALID_VALUE, "a null pointer"};
        Problem p = read_problem(description, a_layout, b_layout, c_layout, d_layout);
        p.a.data = a, p.b.data = b, p.c.data = c, p.d.data = d;
        float scale[2];
        std::memcpy(&scale[0], alpha, 4), std::memcpy(&scale[1], beta, 4);
        p.alpha = scale[0], p.beta = scale[1];
        p.workspace = workspace, p.workspace_bytes = workspace_bytes;
        Algorithm algorithm{};
        if (algo) algorithm = read<Algorithm>(algo);
        check_pointers(p, algo ? &algorithm : nullptr);
        p.workspace_bytes = algo ? workspace_of(p, algorithm) : 0;
        const cudaError_t error =
            enqueue_library_task(stream, {.what = p.text(),
                                          .run = [p](DeviceMemory& memory) { multiply(p, memory); },
                                          .flops = p.flops(),
                                          .bytes = p.least_bytes()});
        if (error != cudaSuccess) throw Refusal{CUBLAS_STATUS_EXECUTION_FAILED, cudaGetErrorName(error)};
    });
}

}  // extern "C"
