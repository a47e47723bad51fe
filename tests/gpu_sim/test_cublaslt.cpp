// The stand-in cuBLASLt against products in double: layouts, batches, types, epilogues; and what it must refuse.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <random>
#include <vector>

extern "C" const char* gpu_sim_last_report();

namespace {

float bf16(float x) {
    const auto u = std::bit_cast<std::uint32_t>(x);
    return std::bit_cast<float>((u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u);
}

// An array on the device, written from and read as floats.
struct Array {
    void* data = nullptr;
    cudaDataType type;
    std::size_t count;

    Array(cudaDataType type_of, std::size_t n) : type(type_of), count(n) {
        EXPECT_EQ(cudaMalloc(&data, n * size()), cudaSuccess);
    }
    Array(cudaDataType type_of, std::vector<float>& values) : Array(type_of, values.size()) {
        std::vector<std::uint16_t> halves;
        for (float& x : values) {
            if (type == CUDA_R_16BF) x = bf16(x);
            halves.push_back(std::uint16_t(std::bit_cast<std::uint32_t>(x) >> 16));
        }
        const void* from = type == CUDA_R_32F ? static_cast<void*>(values.data()) : halves.data();
        EXPECT_EQ(cudaMemcpy(data, from, count * size(), cudaMemcpyHostToDevice), cudaSuccess);
        EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    }
    Array(const Array&) = delete;
    ~Array() { cudaFree(data); }
    std::size_t size() const { return type == CUDA_R_32F ? 4 : 2; }
    std::vector<float> read() const {
        std::vector<float> values(count);
        if (type == CUDA_R_32F) {
            EXPECT_EQ(cudaMemcpy(values.data(), data, count * 4, cudaMemcpyDeviceToHost), cudaSuccess);
            return values;
        }
        std::vector<std::uint16_t> halves(count);
        EXPECT_EQ(cudaMemcpy(halves.data(), data, count * 2, cudaMemcpyDeviceToHost), cudaSuccess);
        for (std::size_t i = 0; i < count; ++i) values[i] = std::bit_cast<float>(std::uint32_t{halves[i]} << 16);
        return values;
    }
};

std::vector<float> normal(std::size_t n, unsigned seed) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> distribution;
    std::vector<float> values(n);
    for (float& x : values) x = distribution(engine);
    return values;
}

struct Case {
    int m = 19, n = 13, k = 37, batches = 1;
    bool ta = false, tb = false, row = false, share_b = false;
    cudaDataType in = CUDA_R_32F, out = CUDA_R_32F;
    cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    float alpha = 1, beta = 0;
};

double gelu(double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }
double slope(double x) { return (gelu(x + 1e-5) - gelu(x - 1e-5)) / 2e-5; }

double tf32(double x) {
    const auto u = std::bit_cast<std::uint32_t>(float(x));
    return std::bit_cast<float>((u + 0x1000u) & ~0x1fffu);
}

// Everything of one call; public so that tests can spoil a part before run().
struct Call {
    Case c;
    int rows_a, cols_a, rows_b, cols_b, ld_a, ld_b, ld_d, ld_aux;
    std::size_t stride_a, stride_b, stride_d;
    std::vector<float> a, b, d, bias, aux;
    cublasLtHandle_t handle{};
    cublasLtMatmulDesc_t description{};
    cublasLtMatrixLayout_t layout_a{}, layout_b{}, layout_d{};

    explicit Call(const Case& of) : c(of) {
        rows_a = c.ta ? c.k : c.m, cols_a = c.ta ? c.m : c.k;
        rows_b = c.tb ? c.n : c.k, cols_b = c.tb ? c.k : c.n;
        ld_a = (c.row ? cols_a : rows_a) + 3, ld_b = (c.row ? cols_b : rows_b) + 5, ld_d = (c.row ? c.n : c.m) + 2;
        ld_aux = (c.m + 7) / 8 * 8 + 8;
        stride_a = std::size_t(ld_a) * (c.row ? rows_a : cols_a);
        stride_b = std::size_t(ld_b) * (c.row ? rows_b : cols_b);
        stride_d = std::size_t(ld_d) * (c.row ? c.m : c.n);
        a = normal(stride_a * c.batches, 1), b = normal(stride_b * (c.share_b ? 1 : c.batches), 2);
        d = normal(stride_d * c.batches, 3), bias = normal(std::max(c.m, c.n), 4);
        aux = normal(std::size_t(ld_aux) * c.n, 5);
        cublasLtCreate(&handle);
        cublasLtMatmulDescCreate(&description, c.compute, CUDA_R_32F);
        const cublasOperation_t op_a = c.ta ? CUBLAS_OP_T : CUBLAS_OP_N, op_b = c.tb ? CUBLAS_OP_T : CUBLAS_OP_N;
        set(CUBLASLT_MATMUL_DESC_TRANSA, op_a), set(CUBLASLT_MATMUL_DESC_TRANSB, op_b);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, c.epilogue);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, std::int64_t(ld_aux));
        layout(layout_a, c.in, rows_a, cols_a, ld_a, stride_a);
        layout(layout_b, c.in, rows_b, cols_b, ld_b, c.share_b ? 0 : stride_b);
        layout(layout_d, c.out, c.m, c.n, ld_d, stride_d);
    }
    template <class T>
    void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
        EXPECT_EQ(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value), CUBLAS_STATUS_SUCCESS);
    }
    void layout(cublasLtMatrixLayout_t& l, cudaDataType type, int rows, int cols, int ld, std::size_t stride) {
        cublasLtMatrixLayoutCreate(&l, type, rows, cols, ld);
        const std::int32_t order = c.row ? CUBLASLT_ORDER_ROW : CUBLASLT_ORDER_COL, batches = c.batches;
        const auto offset = std::int64_t(stride);
        cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order);
        cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batches, sizeof batches);
        cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &offset, sizeof offset);
    }
    std::size_t at(int i, int j, int ld) const { return c.row ? std::size_t(i) * ld + j : std::size_t(j) * ld + i; }
    double op_a(int batch, int i, int p) const {
        const double x = a[batch * stride_a + (c.ta ? at(p, i, ld_a) : at(i, p, ld_a))];
        return c.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? tf32(x) : x;
    }
    double op_b(int batch, int p, int j) const {
        const double x = b[(c.share_b ? 0 : batch * stride_b) + (c.tb ? at(j, p, ld_b) : at(p, j, ld_b))];
        return c.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? tf32(x) : x;
    }
    void run_and_compare();
};

void Call::run_and_compare() {
    Array da(c.in, a), db(c.in, b), dd(c.out, d), dbias(c.out, bias), daux(c.out, aux);
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, dbias.data);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, daux.data);
    const std::vector<float> before = d, aux_before = aux;
    ASSERT_EQ(cublasLtMatmul(handle, description, &c.alpha, da.data, layout_a, db.data, layout_b, &c.beta, dd.data,
                             layout_d, dd.data, layout_d, nullptr, nullptr, 0, nullptr),
              CUBLAS_STATUS_SUCCESS)
        << gpu_sim_last_report();
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess) << gpu_sim_last_report();
    const auto result = dd.read(), bias_after = dbias.read(), aux_after = daux.read();
    const double unit = c.out == CUDA_R_32F ? 0x1p-24 : 0x1p-8;
    const int e = c.epilogue;
    std::vector<double> gradient(std::max(c.m, c.n), 0.0), size(std::max(c.m, c.n), 0.0);
    for (int batch = 0; batch < c.batches; ++batch)
        for (int i = 0; i < c.m; ++i)
            for (int j = 0; j < c.n; ++j) {
                double x = 0, terms = 0;
                for (int p = 0; p < c.k; ++p) {
                    x += op_a(batch, i, p) * op_b(batch, p, j);
                    if (e == CUBLASLT_EPILOGUE_BGRADA && j == 0) gradient[i] += op_a(batch, i, p);
                    if (e == CUBLASLT_EPILOGUE_BGRADB && i == 0) gradient[j] += op_b(batch, p, j);
                }
                const std::size_t to = batch * stride_d + at(i, j, ld_d);
                terms = std::abs(x * c.alpha) + std::abs(c.beta * before[to]) + std::abs(bias[i]);
                x = c.alpha * x + c.beta * before[to];
                if (e & CUBLASLT_EPILOGUE_BIAS) x += bias[i];
                if (e & 32) {
                    if (e & 128) {
                        EXPECT_NEAR(aux_after[j * ld_aux + i], x, 4 * 0x1p-24 * terms + unit * std::abs(x));
                    }
                    x = gelu(x);
                }
                if (e & 64) x *= slope(aux_before[j * ld_aux + i]);
                if (e & 16) gradient[i] += x, size[i] += std::abs(x);
                // Three roundings in f32 of numbers up to `terms` (a slope of at most 1.13), a difference quotient's
                // error, the last rounding.
                ASSERT_NEAR(result[to], x, (6 * 0x1p-24 + ((e & 64) ? 1e-9 : 0)) * terms + unit * std::abs(x))
                    << batch << " " << i << " " << j;
            }
    const int gradients = e & 512 ? c.n : e & (16 | 256) ? c.m : 0;
    for (int i = 0; i < gradients; ++i)
        EXPECT_NEAR(bias_after[i], gradient[i], 1e-5 * (1 + size[i]) + unit * std::abs(gradient[i])) << i;
    for (int i = 0; !c.row && i < ld_d - c.m; ++i) EXPECT_EQ(result[c.m + i], before[c.m + i]) << "padding of D";
}

TEST(CublasLt, AllTransposesOrdersAndTypes) {
    for (const bool ta : {false, true})
        for (const bool tb : {false, true})
            for (const bool row : {false, true})
                for (const auto& [in, out] : {std::pair{CUDA_R_32F, CUDA_R_32F}, std::pair{CUDA_R_16BF, CUDA_R_16BF},
                                              std::pair{CUDA_R_16BF, CUDA_R_32F}}) {
                    SCOPED_TRACE(testing::Message() << ta << tb << row << in << out);
                    Call({.ta = ta, .tb = tb, .row = row, .in = in, .out = out, .alpha = 0.5f, .beta = -2})
                        .run_and_compare();
                }
}

TEST(CublasLt, Tf32RoundsItsInputs) { Call({.compute = CUBLAS_COMPUTE_32F_FAST_TF32}).run_and_compare(); }

TEST(CublasLt, BatchesAndASharedOperand) {
    Call({.batches = 3, .beta = 1}).run_and_compare();
    Call({.batches = 3, .tb = true, .share_b = true}).run_and_compare();
}

TEST(CublasLt, Epilogues) {
    for (const auto epilogue : {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_GELU, CUBLASLT_EPILOGUE_GELU_BIAS,
                                CUBLASLT_EPILOGUE_GELU_AUX, CUBLASLT_EPILOGUE_GELU_AUX_BIAS, CUBLASLT_EPILOGUE_DGELU,
                                CUBLASLT_EPILOGUE_DGELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA, CUBLASLT_EPILOGUE_BGRADB})
        for (const bool half : {false, true}) {
            SCOPED_TRACE(testing::Message() << epilogue << half);
            const cudaDataType type = half ? CUDA_R_16BF : CUDA_R_32F;
            Call({.ta = true, .in = type, .out = type, .epilogue = epilogue}).run_and_compare();
        }
}

TEST(CublasLt, HeuristicsHonourThePreference) {
    Call call({.m = 64, .n = 64, .k = 256});
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulPreferenceCreate(&preference);
    cublasLtMatmulHeuristicResult_t results[16];
    int none = 0, some = 0;
    const auto ask = [&](int& found) {
        EXPECT_EQ(cublasLtMatmulAlgoGetHeuristic(call.handle, call.description, call.layout_a, call.layout_b,
                                                 call.layout_d, call.layout_d, preference, 16, results, &found),
                  CUBLAS_STATUS_SUCCESS);
    };
    ask(none);
    const std::size_t limit = 1 << 20;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &limit, sizeof limit);
    ask(some);
    EXPECT_GT(none, 0);
    EXPECT_GT(some, none);
    EXPECT_LE(results[some - 1].workspaceSize, limit);
    EXPECT_GT(results[some - 1].workspaceSize, 0u);
    // A split of k without its workspace is refused.
    Array a(CUDA_R_32F, call.a), b(CUDA_R_32F, call.b), d(CUDA_R_32F, call.d);
    EXPECT_EQ(cublasLtMatmul(call.handle, call.description, &call.c.alpha, a.data, call.layout_a, b.data, call.layout_b,
                             &call.c.beta, d.data, call.layout_d, d.data, call.layout_d, &results[some - 1].algo,
                             nullptr, 0, nullptr),
              CUBLAS_STATUS_INVALID_VALUE);
    const auto in_place = [&](int found) {
        return std::count_if(results, results + found, [](const cublasLtMatmulHeuristicResult_t& result) {
            std::uint32_t scheme = 0;
            cublasLtMatmulAlgoConfigGetAttribute(&result.algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme,
                                                 sizeof scheme, nullptr);
            return scheme == CUBLASLT_REDUCTION_SCHEME_INPLACE;
        });
    };
    EXPECT_GT(in_place(some), 0);
    const std::uint32_t allowed = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &allowed,
                                         sizeof allowed);
    int masked = 0;
    ask(masked);
    EXPECT_GT(masked, none) << "other splits of k are still there";
    EXPECT_EQ(in_place(masked), 0);
    cublasLtMatmulPreferenceDestroy(preference);
}

TEST(CublasLt, TakesManagedMemory) {
    Call call({.m = 2, .n = 2, .k = 2});
    const std::size_t floats[] = {call.a.size(), call.b.size(), call.d.size()};
    float* memory[3];
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(cudaMallocManaged(reinterpret_cast<void**>(&memory[i]), floats[i] * 4), cudaSuccess);
        std::fill_n(memory[i], floats[i], 1.5f);
    }
    const auto [a, b, d] = memory;
    EXPECT_EQ(cublasLtMatmul(call.handle, call.description, &call.c.alpha, a, call.layout_a, b, call.layout_b,
                             &call.c.beta, d, call.layout_d, d, call.layout_d, nullptr, nullptr, 0, nullptr),
              CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(d[0], 2 * 1.5f * 1.5f);
    for (float* p : memory) cudaFree(p);
}

TEST(CublasLt, RefusesAnOperandThatEndsTooEarly) {
    Call call({});
    Array a(CUDA_R_32F, call.a.size() / 2), b(CUDA_R_32F, call.b), d(CUDA_R_32F, call.d);
    EXPECT_EQ(cublasLtMatmul(call.handle, call.description, &call.c.alpha, a.data, call.layout_a, b.data, call.layout_b,
                             &call.c.beta, d.data, call.layout_d, d.data, call.layout_d, nullptr, nullptr, 0, nullptr),
              CUBLAS_STATUS_INVALID_VALUE);
    EXPECT_NE(std::string(gpu_sim_last_report()).find("A needs"), std::string::npos);
}

void multiply_what_nobody_wrote() {
    Call call({});
    Array a(CUDA_R_32F, call.a.size()), b(CUDA_R_32F, call.b), d(CUDA_R_32F, call.d);
    cublasLtMatmul(call.handle, call.description, &call.c.alpha, a.data, call.layout_a, b.data, call.layout_b,
                   &call.c.beta, d.data, call.layout_d, d.data, call.layout_d, nullptr, nullptr, 0, nullptr);
    std::exit(cudaDeviceSynchronize() == cudaSuccess ? 0 : 3);
}

TEST(CublasLtDeathTest, ReportsMemoryThatNobodyWrote) {
    EXPECT_EXIT(multiply_what_nobody_wrote(), testing::ExitedWithCode(3), "nobody wrote: A");
}

}  // namespace
