#include "tests/gpu_sim/cublaslt/problem.h"

#include "tests/gpu_sim/runtime/library.h"

#include <cstdlib>
#include <string_view>

namespace gpu_sim {

namespace {

void require(bool condition, cublasStatus_t status, const std::string& why) {
    if (!condition) throw Refusal{status, why};
}

std::string text(const Layout& l) {
    return std::to_string(l.rows) + " x " + std::to_string(l.cols) + (l.order == CUBLASLT_ORDER_ROW ? " row" : " col") +
           " ld " + std::to_string(l.ld);
}

const char* type_name(std::int32_t type) { return type == CUDA_R_32F ? "f32" : type == CUDA_R_16BF ? "bf16" : "?"; }

void check_layout(const char* name, const Layout& l) {
    const std::string which = std::string(name) + ": " + text(l) + ": ";
    require(l.type == CUDA_R_32F || l.type == CUDA_R_16BF, CUBLAS_STATUS_NOT_SUPPORTED,
            which + "type " + std::to_string(l.type) + ", only f32 and bf16 are implemented");
    require(l.order == CUBLASLT_ORDER_COL || l.order == CUBLASLT_ORDER_ROW, CUBLAS_STATUS_NOT_SUPPORTED,
            which + "order " + std::to_string(l.order));
    require(l.rows > 0 && l.cols > 0, CUBLAS_STATUS_INVALID_VALUE, which + "empty");
    const std::uint64_t least = l.order == CUBLASLT_ORDER_COL ? l.rows : l.cols;
    require(l.ld >= std::int64_t(least), CUBLAS_STATUS_INVALID_VALUE, which + "leading dimension too small");
    require(l.batches >= 1 && l.batch_mode == 0, CUBLAS_STATUS_INVALID_VALUE,
            which + std::to_string(l.batches) + " matrices in the batch");
}

// GPU_SIM_GRADIENT_EPILOGUES=refused: as a version of the library would that has no such kernel for any product.
bool refuses_gradient_epilogues() {
    static const char* value = std::getenv("GPU_SIM_GRADIENT_EPILOGUES");
    return value && std::string_view(value) == "refused";
}

void check_epilogue(const Problem& p) {
    const Description& d = p.description;
    const bool gradient = p.bias_gradient() || d.epilogue == CUBLASLT_EPILOGUE_DGELU;
    require(!gradient || !refuses_gradient_epilogues(), CUBLAS_STATUS_NOT_SUPPORTED, "an epilogue of a gradient");
    switch (d.epilogue) {
        case CUBLASLT_EPILOGUE_DEFAULT:
            return;
        case CUBLASLT_EPILOGUE_BIAS:
        case CUBLASLT_EPILOGUE_GELU:
        case CUBLASLT_EPILOGUE_GELU_BIAS:
        case CUBLASLT_EPILOGUE_GELU_AUX:
        case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
        case CUBLASLT_EPILOGUE_DGELU:
        case CUBLASLT_EPILOGUE_DGELU_BGRAD:
        case CUBLASLT_EPILOGUE_BGRADA:
        case CUBLASLT_EPILOGUE_BGRADB:
            break;
        default:
            throw Refusal{CUBLAS_STATUS_NOT_SUPPORTED, "epilogue " + std::to_string(d.epilogue)};
    }
    require(p.d.layout.order == CUBLASLT_ORDER_COL, CUBLAS_STATUS_NOT_SUPPORTED, "an epilogue with a row-major result");
    if (p.adds_bias() || p.bias_gradient())
        require(d.bias_type < 0 || d.bias_type == p.d.layout.type, CUBLAS_STATUS_NOT_SUPPORTED,
                "the bias must have the type of D, " + std::string(type_name(p.d.layout.type)));
    if (!p.has_aux()) return;
    require(d.aux_type < 0 || d.aux_type == p.d.layout.type, CUBLAS_STATUS_NOT_SUPPORTED,
            "the auxiliary matrix must have the type of D, " + std::string(type_name(p.d.layout.type)));
    require(d.aux_ld % 8 == 0 && d.aux_ld >= std::int64_t(p.m), CUBLAS_STATUS_INVALID_VALUE,
            "leading dimension " + std::to_string(d.aux_ld) +
                " of the auxiliary matrix: must be a multiple of 8 and at least " + std::to_string(p.m));
}

void check_operand(const char* name, const void* pointer, std::uint64_t bytes, std::uint64_t alignment) {
    require(pointer != nullptr, CUBLAS_STATUS_INVALID_VALUE, std::string(name) + " is a null pointer");
    const auto address = reinterpret_cast<std::uint64_t>(pointer);
    require(address % alignment == 0, CUBLAS_STATUS_NOT_SUPPORTED,
            std::string(name) + " is not aligned to " + std::to_string(alignment) + " bytes");
    const std::uint64_t left = device_bytes_at(pointer);
    require(left >= bytes, CUBLAS_STATUS_INVALID_VALUE,
            std::string(name) + " needs " + std::to_string(bytes) + " bytes, device memory there has " +
                std::to_string(left));
}

}  // namespace

std::uint64_t Matrix::bytes() const {
    const bool col = layout.order == CUBLASLT_ORDER_COL;
    const std::uint64_t lines = col ? layout.cols : layout.rows, length = col ? layout.rows : layout.cols;
    return ((lines - 1) * std::uint64_t(layout.ld) + length) * element_bytes();
}

std::uint64_t Matrix::batch_bytes() const {
    return bytes() + std::uint64_t(layout.batches - 1) * std::uint64_t(layout.stride) * element_bytes();
}

std::uint64_t Problem::least_bytes() const {
    const auto batches = std::uint64_t(d.layout.batches);
    const auto all = [&](const Matrix& x) {
        const std::uint64_t one = x.layout.rows * x.layout.cols * x.element_bytes();
        return x.layout.stride == 0 ? one : one * batches;
    };
    const std::uint64_t aux = has_aux() ? m * n * d.element_bytes() * batches : 0;
    const std::uint64_t bias = adds_bias() || bias_gradient() ? bias_length() * d.element_bytes() : 0;
    return all(a) + all(b) + all(d) + (beta != 0 ? all(c) : 0) + aux + bias;
}

std::string Problem::text() const {
    const auto letter = [](std::int32_t t) { return t == CUBLAS_OP_N ? "N" : "T"; };
    const bool tf32 = description.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && a.layout.type == CUDA_R_32F;
    return std::string("gemm ") + letter(description.transpose_a) + letter(description.transpose_b) + " m" +
           std::to_string(m) + " n" + std::to_string(n) + " k" + std::to_string(k) + " batch" +
           std::to_string(d.layout.batches) + " " + (tf32 ? "tf32" : type_name(a.layout.type)) + "->" +
           type_name(d.layout.type) + " epilogue" + std::to_string(description.epilogue);
}

Problem checked_problem(const Description& description, const Layout& a, const Layout& b, const Layout& c,
                        const Layout& d) {
    check_layout("A", a), check_layout("B", b), check_layout("C", c), check_layout("D", d);
    Problem p{.description = description, .a = {a}, .b = {b}, .c = {c}, .d = {d}};
    require(description.scale_type == CUDA_R_32F, CUBLAS_STATUS_NOT_SUPPORTED, "alpha and beta must be f32");
    require(description.compute == CUBLAS_COMPUTE_32F || description.compute == CUBLAS_COMPUTE_32F_PEDANTIC ||
                description.compute == CUBLAS_COMPUTE_32F_FAST_TF32,
            CUBLAS_STATUS_NOT_SUPPORTED, "compute type " + std::to_string(description.compute));
    require(description.pointer_mode == CUBLASLT_POINTER_MODE_HOST, CUBLAS_STATUS_NOT_SUPPORTED,
            "alpha and beta must be on the host");
    require(description.transpose_c == CUBLAS_OP_N, CUBLAS_STATUS_NOT_SUPPORTED, "C transposed");
    const bool ta = description.transpose_a != CUBLAS_OP_N, tb = description.transpose_b != CUBLAS_OP_N;
    p.m = ta ? a.cols : a.rows, p.k = ta ? a.rows : a.cols, p.n = tb ? b.rows : b.cols;
    require((tb ? b.cols : b.rows) == p.k && d.rows == p.m && d.cols == p.n && c.rows == p.m && c.cols == p.n,
            CUBLAS_STATUS_INVALID_VALUE,
            "shapes do not fit: A " + gpu_sim::text(a) + (ta ? " transposed" : "") + ", B " + gpu_sim::text(b) +
                (tb ? " transposed" : "") + ", C " + gpu_sim::text(c) + ", D " + gpu_sim::text(d));
    require(a.type == b.type && c.type == d.type && (a.type == CUDA_R_16BF || d.type == CUDA_R_32F),
            CUBLAS_STATUS_NOT_SUPPORTED,
            std::string("types A ") + type_name(a.type) + " B " + type_name(b.type) + " C " + type_name(c.type) +
                " D " + type_name(d.type));
    require(a.batches == d.batches && b.batches == d.batches && c.batches == d.batches, CUBLAS_STATUS_INVALID_VALUE,
            "numbers of matrices in the batches differ");
    require(c.order == d.order, CUBLAS_STATUS_NOT_SUPPORTED, "C and D have different orders");
    require(d.batches == 1 || std::uint64_t(d.stride) * p.d.element_bytes() >= p.d.bytes(), CUBLAS_STATUS_INVALID_VALUE,
            "matrices of the batch of D overlap");
    check_epilogue(p);
    return p;
}

void check_pointers(const Problem& p, const Algorithm* algorithm) {
    const std::uint64_t in = algorithm ? algorithm->alignment : p.a.element_bytes();
    const std::uint64_t out = algorithm ? algorithm->alignment : p.d.element_bytes();
    check_operand("A", p.a.data, p.a.batch_bytes(), in);
    check_operand("B", p.b.data, p.b.batch_bytes(), in);
    check_operand("D", p.d.data, p.d.batch_bytes(), out);
    if (p.beta != 0) check_operand("C", p.c.data, p.c.batch_bytes(), out);
    if (p.c.data == p.d.data && p.beta != 0)
        require(p.c.layout.ld == p.d.layout.ld && p.c.layout.stride == p.d.layout.stride, CUBLAS_STATUS_INVALID_VALUE,
                "C and D are the same memory in different layouts");
    const Description& d = p.description;
    const std::uint64_t size = p.d.element_bytes(), more = std::uint64_t(p.d.layout.batches - 1);
    if (p.adds_bias() || p.bias_gradient())
        check_operand("the bias", d.bias, (p.bias_length() + more * std::uint64_t(d.bias_stride)) * size, size);
    if (p.has_aux())
        check_operand("the auxiliary matrix", d.aux,
                      ((p.n - 1) * std::uint64_t(d.aux_ld) + p.m + more * std::uint64_t(d.aux_stride)) * size, 16);
    if (p.workspace_bytes > 0) check_operand("the workspace", p.workspace, p.workspace_bytes, 16);
    if (!algorithm) return;
    require(algorithm->magic == kAlgorithm, CUBLAS_STATUS_INVALID_VALUE, "not an algorithm of this library");
    require(algorithm->compute == d.compute && algorithm->type_ab == p.a.layout.type &&
                algorithm->type_d == p.d.layout.type,
            CUBLAS_STATUS_NOT_SUPPORTED, "the algorithm is for other types");
    require(workspace_of(p, *algorithm) <= p.workspace_bytes, CUBLAS_STATUS_INVALID_VALUE,
            "the algorithm needs a workspace of " + std::to_string(workspace_of(p, *algorithm)) + " bytes, " +
                std::to_string(p.workspace_bytes) + " were given");
}

std::uint64_t workspace_of(const Problem& p, const Algorithm& algorithm) {
    if (algorithm.split_k <= 1) return 0;
    return std::uint64_t{algorithm.split_k} * p.m * p.n * std::uint64_t(p.d.layout.batches) * 4;
}

}  // namespace gpu_sim
