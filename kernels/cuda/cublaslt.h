#pragma once
// cuBLASLt, loaded when the first product asks for it: linked, it costs every start of the program 0.19 s, also of
// those that use no GPU. The types of the functions are those of NVIDIA's header.
#include "kernels/cuda/check.h"

#include <cublasLt.h>

namespace steepest::cuda {

struct CublasLt {
    decltype(&cublasLtGetVersion) version;
    decltype(&cublasLtGetStatusName) status_name;
    decltype(&cublasLtGetStatusString) status_string;
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtMatmulDescCreate) description_create;
    decltype(&cublasLtMatmulDescDestroy) description_destroy;
    decltype(&cublasLtMatmulDescSetAttribute) description_set;
    decltype(&cublasLtMatrixLayoutCreate) layout_create;
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
    decltype(&cublasLtMatrixLayoutSetAttribute) layout_set;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
    decltype(&cublasLtMatmulAlgoInit) algorithm_init;
    decltype(&cublasLtMatmulAlgoCheck) algorithm_check;
    decltype(&cublasLtMatmulAlgoConfigGetAttribute) algorithm_get;
    decltype(&cublasLtMatmulAlgoConfigSetAttribute) algorithm_set;
    decltype(&cublasLtMatmul) matmul;
};

// Loads the library at the first call. Throws DeviceError that names the library, or the function it lacks.
const CublasLt& cublaslt();

// Throws DeviceError: `what`, the status, file and line, and the device that is current.
[[noreturn]] void fail(cublasStatus_t status, std::string_view what, Here at);

inline void check(cublasStatus_t status, std::string_view what, Here at = Here::now()) {
    if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
        fail(status, what, at);
}

}  // namespace steepest::cuda
