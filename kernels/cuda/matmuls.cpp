#include "kernels/cuda/matmuls.h"

#include "core/error.h"
#include "kernels/cuda/handle.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

namespace steepest::cuda {
namespace {

template <class Pointer, auto Destroy>
struct Destroyer {
    void operator()(Pointer p) const { (cublaslt().*Destroy)(p); }
};
template <class Pointer, auto Destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Pointer>, Destroyer<Pointer, Destroy>>;

using Library = Owned<cublasLtHandle_t, &CublasLt::destroy>;
using Description = Owned<cublasLtMatmulDesc_t, &CublasLt::description_destroy>;
using Layout = Owned<cublasLtMatrixLayout_t, &CublasLt::layout_destroy>;
using Preference = Owned<cublasLtMatmulPreference_t, &CublasLt::preference_destroy>;
using DeviceMemory = Handle<void*, cudaFree>;

template <class T>
void set(const Description& d, cublasLtMatmulDescAttributes_t attribute, T value) {
    check(cublaslt().description_set(d.get(), attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}
template <class T>
void set(const Layout& l, cublasLtMatrixLayoutAttribute_t attribute, T value) {
    check(cublaslt().layout_set(l.get(), attribute, &value, sizeof value), "cublasLtMatrixLayoutSetAttribute");
}
template <class T>
void set(const Preference& p, cublasLtMatmulPreferenceAttributes_t attribute, T value) {
    check(cublaslt().preference_set(p.get(), attribute, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute");
}

cudaDataType_t type_of(DType t) { return t == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

// Kernels load at most 16 bytes at once; a pointer that allows less must not meet one that loads them.
std::uint32_t alignment_of(const void* p) {
    const auto address = reinterpret_cast<std::uintptr_t>(p) | 16;
    return static_cast<std::uint32_t>(address & (~address + 1));
}

DeviceMemory allocate(std::size_t bytes, std::string_view what) {
    void* data = nullptr;
    check(cudaMalloc(&data, bytes), what);
    return DeviceMemory(data);
}

bool capturing(cudaStream_t stream) {
    cudaStreamCaptureStatus status;
    check(cudaStreamIsCapturing(stream, &status), "cudaStreamIsCapturing");
    return status != cudaStreamCaptureStatusNone;
}

// --- algorithms by their configuration

template <class Algorithm, class F>
void each_setting(Algorithm& a, F&& f) {
    f(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, a.split_k);
    f(CUBLASLT_ALGO_CONFIG_TILE_ID, a.tile);
    f(CUBLASLT_ALGO_CONFIG_STAGES_ID, a.stages);
    f(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, a.reduction);
    f(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, a.swizzle);
    f(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, a.custom);
    f(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, a.inner);
    f(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, a.cluster);
}

MatmulAlgorithm configuration_of(const cublasLtMatmulAlgo_t& algo) {
    MatmulAlgorithm a;
    const auto get = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto& value) {
        std::size_t written = 0;
        check(cublaslt().algorithm_get(&algo, attribute, &value, sizeof value, &written),
              "cublasLtMatmulAlgoConfigGetAttribute");
    };
    get(CUBLASLT_ALGO_CONFIG_ID, a.id);
    each_setting(a, get);
    return a;
}

std::string text_of(const MatmulAlgorithm& a) {
    return "algorithm " + std::to_string(a.id) + " (tile " + std::to_string(a.tile) + ", stages " +
           std::to_string(a.stages) + ", split k " + std::to_string(a.split_k) + ", reduction " +
           std::to_string(a.reduction) + ", swizzle " + std::to_string(a.swizzle) + ", custom " +
           std::to_string(a.custom) + ", inner shape " + std::to_string(a.inner) + ", cluster shape " +
           std::to_string(a.cluster) + ")";
}

}  // namespace

// Everything that descriptors and algorithm depend on.
struct Matmuls::Key {
    std::int64_t m, n, k, batch, lda, ldb, ldc, stride_a, stride_b, stride_c;
    DType in, out;
    bool a_transposed, b_transposed, bias, preactivation, a_sums, beta, tf32;
    std::uint32_t align_a, align_b, align_c, align_vector;

    explicit Key(const Product& p, bool tf32_of_f32)
        : m(p.m),
          n(p.n),
          k(p.k),
          batch(p.batch),
          lda(p.a.ld           ? p.a.ld
              : p.a.transposed ? p.m
                               : p.k),
          ldb(p.b.ld           ? p.b.ld
              : p.b.transposed ? p.k
                               : p.n),
          ldc(p.c.ld ? p.c.ld : p.n),
          stride_a(p.a.stride),
          stride_b(p.b.stride),
          stride_c(p.c.stride),
          in(p.in),
          out(p.out),
          a_transposed(p.a.transposed),
          b_transposed(p.b.transposed),
          bias(p.bias),
          preactivation(p.preactivation),
          a_sums(p.a_sums),
          beta(p.beta != 0),
          tf32(tf32_of_f32 && p.in == DType::f32),
          align_a(alignment_of(p.a.data)),
          align_b(alignment_of(p.b.data)),
          align_c(alignment_of(p.c.data)),
          align_vector(alignment_of(p.bias ? p.bias : p.a_sums)) {}
    auto operator<=>(const Key&) const = default;

    std::string text() const {
        const auto s = [](auto x) { return std::to_string(x); };
        std::string t = std::string(tf32 ? "tf32" : name_of(in)) + " (" + s(m) + ", " + s(k) + ")" +
                        (a_transposed ? "^T" : "") + " x (" + s(k) + ", " + s(n) + ")" + (b_transposed ? "^T" : "") +
                        " -> " + std::string(name_of(out)) + (beta ? ", accumulated" : "") + (bias ? ", bias" : "") +
                        (preactivation ? ", gelu'" : "") + (a_sums ? ", sums of a" : "") + ", rows " + s(lda) + " " +
                        s(ldb) + " " + s(ldc);
        if (batch != 1) t += ", batch " + s(batch) + " at " + s(stride_a) + " " + s(stride_b) + " " + s(stride_c);
        if (std::min({align_a, align_b, align_c, align_vector}) < 16)
            t += ", aligned " + s(align_a) + " " + s(align_b) + " " + s(align_c) + " " + s(align_vector);
        return t;
    }
};

// cuBLASLt thinks in columns. Row-major memory read column by column is the transpose, so c = a b is asked for as c^T =
// b^T a^T: the library's A is our b, its B our a, its m our n. A matrix stored as it is meant then needs no
// transposition.
struct Matmuls::Plan {
    Description description;
    Layout a, b, c;  // of our operands, as the library sees them: columns are our rows of memory
    cublasLtMatmulAlgo_t algorithm{};

    explicit Plan(const Key& key) {
        cublasLtMatmulDesc_t d;
        check(
            cublaslt().description_create(&d, key.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
            "cublasLtMatmulDescCreate");
        description.reset(d);
        set<std::int32_t>(description, CUBLASLT_MATMUL_DESC_TRANSA, key.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
        set<std::int32_t>(description, CUBLASLT_MATMUL_DESC_TRANSB, key.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
        // The sums of our a's rows: a is the library's B.
        const cublasLtEpilogue_t epilogue = key.bias            ? CUBLASLT_EPILOGUE_BIAS
                                            : key.preactivation ? CUBLASLT_EPILOGUE_DGELU
                                            : key.a_sums        ? CUBLASLT_EPILOGUE_BGRADB
                                                                : CUBLASLT_EPILOGUE_DEFAULT;
        set<std::uint32_t>(description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
        if (key.preactivation) set(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, key.n);
        a = layout(key.in, key.a_transposed ? key.k : key.m, key.a_transposed ? key.m : key.k, key.lda, key.batch,
                   key.stride_a);
        b = layout(key.in, key.b_transposed ? key.n : key.k, key.b_transposed ? key.k : key.n, key.ldb, key.batch,
                   key.stride_b);
        c = layout(key.out, key.m, key.n, key.ldc, key.batch, key.stride_c);
    }

    void point_at(const Product& p) const {
        if (p.bias) set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
        if (p.a_sums) set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.a_sums);
        if (p.preactivation) set(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.preactivation);
    }

    void run(cublasLtHandle_t library, void* workspace, cudaStream_t stream, const Product& p, void* to,
             const cublasLtMatmulAlgo_t& with) const {
        point_at(p);
        const cublasStatus_t status = cublaslt().matmul(library, description.get(), &p.alpha, p.b.data, b.get(),
                                                        p.a.data, a.get(), &p.beta, to, c.get(), to, c.get(), &with,
                                                        workspace, static_cast<std::size_t>(kWorkspaceBytes), stream);
        if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
            fail(status, "cublasLtMatmul " + Key(p, false).text() + " by " + text_of(configuration_of(with)),
                 Here::now());
    }

private:
    static Layout layout(DType type, std::int64_t rows_of_memory, std::int64_t row_length, std::int64_t ld,
                         std::int64_t batch, std::int64_t stride) {
        cublasLtMatrixLayout_t l;
        check(cublaslt().layout_create(&l, type_of(type), static_cast<std::uint64_t>(row_length),
                                       static_cast<std::uint64_t>(rows_of_memory), ld),
              "cublasLtMatrixLayoutCreate");
        Layout owned(l);
        if (batch != 1) {
            set(owned, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
            set(owned, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
        }
        return owned;
    }
};

struct Matmuls::State {
    Library library;
    DeviceMemory workspace = allocate(kWorkspaceBytes, "cudaMalloc of the workspace of cuBLASLt");
    std::map<Key, std::optional<Plan>> plans;  // without a plan: the library has no algorithm

    State() {
        cublasLtHandle_t handle;
        check(cublaslt().create(&handle), "cublasLtCreate");
        library.reset(handle);
    }
};

namespace {

// The library's proposals, best first as it believes; none where it has no algorithm.
std::vector<cublasLtMatmulAlgo_t> proposals(cublasLtHandle_t library, const auto& plan, const auto& key, int count) {
    cublasLtMatmulPreference_t p;
    check(cublaslt().preference_create(&p), "cublasLtMatmulPreferenceCreate");
    const Preference preference(p);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{Matmuls::kWorkspaceBytes});
    set<std::uint32_t>(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.align_b);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.align_a);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.align_c);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.align_c);

    std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(count));
    int found = 0;
    const cublasStatus_t status =
        cublaslt().heuristic(library, plan.description.get(), plan.b.get(), plan.a.get(), plan.c.get(), plan.c.get(),
                             preference.get(), count, results.data(), &found);
    std::vector<cublasLtMatmulAlgo_t> list;
    for (int i = 0; i < found; ++i)
        if (const auto& r = results[static_cast<std::size_t>(i)]; r.state == CUBLAS_STATUS_SUCCESS)
            list.push_back(r.algo);
    if (status != CUBLAS_STATUS_SUCCESS && status != CUBLAS_STATUS_NOT_SUPPORTED)
        fail(status, "cublasLtMatmulAlgoGetHeuristic " + key.text(), Here::now());
    return list;
}

cublasLtMatmulAlgo_t restored(cublasLtHandle_t library, const auto& plan, const auto& key,
                              const MatmulAlgorithm& wanted) {
    const auto require = [&](cublasStatus_t status, const char* call) {
        if (status != CUBLAS_STATUS_SUCCESS)
            fail(status,
                 std::string(call) + ": " + text_of(wanted) + ", which the checkpoint names for the product " +
                     key.text(),
                 Here::now());
    };
    cublasLtMatmulAlgo_t algo{};
    require(cublaslt().algorithm_init(library, key.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F,
                                      type_of(key.in), type_of(key.in), type_of(key.out), type_of(key.out), wanted.id,
                                      &algo),
            "cublasLtMatmulAlgoInit");
    each_setting(wanted, [&](cublasLtMatmulAlgoConfigAttributes_t attribute, const auto& value) {
        require(cublaslt().algorithm_set(&algo, attribute, &value, sizeof value),
                "cublasLtMatmulAlgoConfigSetAttribute");
    });
    cublasLtMatmulHeuristicResult_t result{};
    require(cublaslt().algorithm_check(library, plan.description.get(), plan.b.get(), plan.a.get(), plan.c.get(),
                                       plan.c.get(), &algo, &result),
            "cublasLtMatmulAlgoCheck");
    require(result.workspaceSize > Matmuls::kWorkspaceBytes ? CUBLAS_STATUS_NOT_SUPPORTED : result.state,
            "cublasLtMatmulAlgoCheck");
    return algo;
}

// Milliseconds that `enqueue` takes on the device: the least of a few runs, since what disturbs only adds.
template <class F>
float milliseconds(cudaStream_t stream, F&& enqueue) {
    using Timer = Handle<cudaEvent_t, cudaEventDestroy>;
    std::array<Timer, 2> events;
    for (Timer& event : events) {
        cudaEvent_t e;
        check(cudaEventCreate(&e), "cudaEventCreate");
        event = Timer(e);
    }
    enqueue();  // the first run loads the kernel
    float least = std::numeric_limits<float>::infinity();
    for (int i = 0; i < 3; ++i) {
        check(cudaEventRecord(events[0].get(), stream), "cudaEventRecord");
        enqueue();
        check(cudaEventRecord(events[1].get(), stream), "cudaEventRecord");
        check(cudaEventSynchronize(events[1].get()), "cudaEventSynchronize");
        float time = 0;
        check(cudaEventElapsedTime(&time, events[0].get(), events[1].get()), "cudaEventElapsedTime");
        least = std::min(least, time);
    }
    return least;
}

}  // namespace

bool Matmuls::choose(cudaStream_t stream, const Product& product, const Key& key, Plan& plan) {
    cublasLtHandle_t library = state_->library.get();
    plan.point_at(product);
    const std::string text = key.text();
    if (const auto known = records_.find(text); known != records_.end()) {
        plan.algorithm = restored(library, plan, key, known->second);
        return true;
    }
    const bool search = options.search && !capturing(stream);
    const auto list = proposals(library, plan, key, search ? 8 : 1);
    if (list.empty()) return false;
    plan.algorithm = list[0];
    if (search) {
        // Runs that accumulate would change c; they get a result of their own.
        const auto bytes = static_cast<std::size_t>(((key.batch - 1) * key.stride_c + (key.m - 1) * key.ldc + key.n) *
                                                    size_of(key.out));
        const DeviceMemory result = allocate(bytes, "cudaMalloc for the search of an algorithm for " + text);
        check(cudaMemsetAsync(result.get(), 0, bytes, stream), "cudaMemsetAsync");
        float least = std::numeric_limits<float>::infinity();
        for (const cublasLtMatmulAlgo_t& algorithm : list) {
            const float time = milliseconds(
                stream, [&] { plan.run(library, state_->workspace.get(), stream, product, result.get(), algorithm); });
            if (time < least) least = time, plan.algorithm = algorithm;
        }
    }
    records_.emplace(text, configuration_of(plan.algorithm));
    return true;
}

const Matmuls::Plan* Matmuls::plan(cudaStream_t stream, const Product& product) {
    if (!state_) state_ = std::make_unique<State>();
    const Key key(product, options.tf32);
    auto known = state_->plans.find(key);
    if (known == state_->plans.end()) {
        std::optional<Plan> made(std::in_place, key);
        if (!choose(stream, product, key, *made)) made.reset();
        known = state_->plans.emplace(key, std::move(made)).first;
    }
    return known->second ? &*known->second : nullptr;
}

Matmuls::Matmuls() = default;
Matmuls::~Matmuls() = default;

std::string Matmuls::describe() const {
    try {
        const auto v = cublaslt().version();
        return "cuBLASLt " + std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." +
               std::to_string(v % 100) + (options.tf32 ? ", tf32" : "") + (options.search ? ", searched" : "");
    } catch (const DeviceError& error) {
        return std::string("none: ") + error.what();
    }
}

void Matmuls::run(cudaStream_t stream, const Product& product) {
    if (!try_run(stream, product))
        fail(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic " + Key(product, options.tf32).text(),
             Here::now());
}

bool Matmuls::try_run(cudaStream_t stream, const Product& product) {
    if (product.m == 0 || product.n == 0 || product.batch == 0) return true;
    const Plan* known = plan(stream, product);
    if (!known) return false;
    known->run(state_->library.get(), state_->workspace.get(), stream, product, product.c.data, known->algorithm);
    return true;
}

void Matmuls::restore(const Records& records) {
    records_ = records;
    if (state_) state_->plans.clear();
}

}  // namespace steepest::cuda
