#include "kernels/cuda/cublaslt.h"

#include "core/error.h"

#include <dlfcn.h>
#include <string>

namespace steepest::cuda {
namespace {

// Of the version whose header the types come from.
std::string library_name() { return "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR); }

class Library {
public:
    Library() : handle_(dlopen(library_name().c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (handle_) return;
        const char* why = dlerror();
        throw DeviceError("cannot load " + library_name() +
                          ", which products of matrices on the GPU need: " + (why ? why : "no reason given"));
    }
    template <class F>
    void load(F& function, const char* name) const {
        function = reinterpret_cast<F>(dlsym(handle_, name));
        if (!function) throw DeviceError(library_name() + " has no function " + name);
    }

private:
    void* handle_;  // never closed: its device code lives as long as the device's context
};

CublasLt load() {
    const Library library;
    CublasLt lt{};
    library.load(lt.version, "cublasLtGetVersion");
    library.load(lt.status_name, "cublasLtGetStatusName");
    library.load(lt.status_string, "cublasLtGetStatusString");
    library.load(lt.create, "cublasLtCreate");
    library.load(lt.destroy, "cublasLtDestroy");
    library.load(lt.description_create, "cublasLtMatmulDescCreate");
    library.load(lt.description_destroy, "cublasLtMatmulDescDestroy");
    library.load(lt.description_set, "cublasLtMatmulDescSetAttribute");
    library.load(lt.layout_create, "cublasLtMatrixLayoutCreate");
    library.load(lt.layout_destroy, "cublasLtMatrixLayoutDestroy");
    library.load(lt.layout_set, "cublasLtMatrixLayoutSetAttribute");
    library.load(lt.preference_create, "cublasLtMatmulPreferenceCreate");
    library.load(lt.preference_destroy, "cublasLtMatmulPreferenceDestroy");
    library.load(lt.preference_set, "cublasLtMatmulPreferenceSetAttribute");
    library.load(lt.heuristic, "cublasLtMatmulAlgoGetHeuristic");
    library.load(lt.algorithm_init, "cublasLtMatmulAlgoInit");
    library.load(lt.algorithm_check, "cublasLtMatmulAlgoCheck");
    library.load(lt.algorithm_get, "cublasLtMatmulAlgoConfigGetAttribute");
    library.load(lt.algorithm_set, "cublasLtMatmulAlgoConfigSetAttribute");
    library.load(lt.matmul, "cublasLtMatmul");
    return lt;
}

}  // namespace

const CublasLt& cublaslt() {
    static const CublasLt lt = load();
    return lt;
}

void fail(cublasStatus_t status, std::string_view what, Here at) {
    const CublasLt& lt = cublaslt();
    fail(std::string(lt.status_name(status)) + " (" + lt.status_string(status) + ")", what, at);
}

}  // namespace steepest::cuda
