// One tile through oneDNN's row-major C function, which versions 2 and 3 share. Compiled where oneDNN was found.
#include "core/error.h"
#include "kernels/cpu/gemm_engine.h"

#include <algorithm>
#include <oneapi/dnnl/dnnl.h>

namespace steepest::cpu {

bool onednn_available() { return true; }

std::string onednn_version() {
    const dnnl_version_t* v = dnnl_version();
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

void onednn_multiply(const Product& p) {
    const std::int64_t m = p.a.rows, n = p.b.cols, k = p.a.cols;
    // A library that finds itself outside a parallel region, or inside one of a single thread, would start threads of
    // its own, and its results differ between thread counts. The setting belongs to the calling thread.
    omp_set_num_threads(1);
    const auto stride = [](const ConstMatrix& x) {
        return x.col_stride == 1 ? std::max(x.row_stride, x.cols) : std::max(x.col_stride, x.rows);
    };
    const dnnl_status_t status = dnnl_sgemm(p.a.col_stride == 1 ? 'N' : 'T', p.b.col_stride == 1 ? 'N' : 'T', m, n, k,
                                            p.alpha, static_cast<const float*>(p.a.data), stride(p.a),
                                            static_cast<const float*>(p.b.data), stride(p.b), p.beta, p.c, p.c_stride);
    if (status != dnnl_success) throw DeviceError("oneDNN cannot multiply matrices, status " + std::to_string(status));
}

}  // namespace steepest::cpu
