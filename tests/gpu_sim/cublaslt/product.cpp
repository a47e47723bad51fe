#include "tests/gpu_sim/cublaslt/product.h"

#include "tests/gpu_sim/runtime/library.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace gpu_sim {

namespace {

float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

std::uint16_t to_bf16(float x) {
    const auto u = std::bit_cast<std::uint32_t>(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return std::uint16_t((u >> 16) | 0x40u);
    return std::uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

// To 10 bits of mantissa, to nearest, ties away from zero (cvt.rna.tf32.f32).
float to_tf32(float x) {
    const auto u = std::bit_cast<std::uint32_t>(x);
    if ((u & 0x7f800000u) == 0x7f800000u) return x;
    return std::bit_cast<float>((u + 0x1000u) & ~0x1fffu);
}

// Vectors and matrices in device memory, element by element.
struct Elements {
    std::byte* data;
    std::int32_t type;
    float get(std::uint64_t i) const {
        if (type == CUDA_R_32F) {
            float x;
            std::memcpy(&x, data + 4 * i, 4);
            return x;
        }
        std::uint16_t x;
        std::memcpy(&x, data + 2 * i, 2);
        return from_bf16(x);
    }
    void set(std::uint64_t i, float x) const {
        if (type == CUDA_R_32F) {
            std::memcpy(data + 4 * i, &x, 4);
        } else {
            const std::uint16_t rounded = to_bf16(x);
            std::memcpy(data + 2 * i, &rounded, 2);
        }
    }
};

std::uint64_t size_of(std::int32_t type) { return type == CUDA_R_32F ? 4 : 2; }

// One array in device memory: `lines` of `length` elements, `pitch` apart.
struct Lines {
    const char* name;
    std::uint64_t address, lines, length, pitch;
    std::int32_t type;

    Elements open(DeviceMemory& memory) const {
        return {memory.access(address, ((lines - 1) * pitch + length) * size_of(type)), type};
    }
    void require_written(const DeviceMemory& memory) const {
        if (!checks_uninitialised()) return;
        for (std::uint64_t line = 0; line < lines; ++line)
            if (!memory.all_written(address + line * pitch * size_of(type), length * size_of(type)))
                throw Fault(std::string("cublasLtMatmul reads memory that nobody wrote: ") + name + ", line " +
                            std::to_string(line) + " of " + std::to_string(lines));
    }
    void mark_written(DeviceMemory& memory) const {
        for (std::uint64_t line = 0; line < lines; ++line)
            memory.mark_written(address + line * pitch * size_of(type), length * size_of(type));
    }
};

Lines lines_of(const char* name, const Matrix& m, std::uint64_t batch) {
    const Layout& l = m.layout;
    const bool col = l.order == CUBLASLT_ORDER_COL;
    return {name,
            reinterpret_cast<std::uint64_t>(m.data) + batch * std::uint64_t(l.stride) * m.element_bytes(),
            col ? l.cols : l.rows,
            col ? l.rows : l.cols,
            std::uint64_t(l.ld),
            l.type};
}

constexpr std::uint64_t kRows = 8, kColumns = 4;

// Panels of `width` rows of op(X) (rows x k), each panel k times `width` numbers; missing rows are 0.
std::vector<double> panels(const Matrix& matrix, const Elements& x, bool transposed, bool tf32, std::uint64_t rows,
                           std::uint64_t k, std::uint64_t width) {
    std::vector<double> packed((rows + width - 1) / width * width * k, 0.0);
    // An element (i, p) of op(X) lies at i * step_i + p * step_p.
    const bool col = matrix.layout.order == CUBLASLT_ORDER_COL;
    const auto ld = std::uint64_t(matrix.layout.ld);
    const std::uint64_t step_i = col != transposed ? 1 : ld, step_p = col != transposed ? ld : 1;
    for (std::uint64_t i = 0; i < rows; ++i) {
        double* to = packed.data() + i / width * width * k + i % width;
        for (std::uint64_t p = 0; p < k; ++p) {
            const float value = x.get(i * step_i + p * step_p);
            to[p * width] = tf32 ? to_tf32(value) : value;
        }
    }
    return packed;
}

using Vector [[gnu::vector_size(32), gnu::aligned(8)]] = double;

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]]
#endif
void tile(const double* a, const double* b, std::uint64_t k, double* sums) {
    Vector s[kColumns][2] = {};
    for (std::uint64_t p = 0; p < k; ++p, a += kRows, b += kColumns) {
        const Vector low = *reinterpret_cast<const Vector*>(a), high = *reinterpret_cast<const Vector*>(a + 4);
        for (std::uint64_t j = 0; j < kColumns; ++j) {
            s[j][0] += low * b[j];
            s[j][1] += high * b[j];
        }
    }
    std::memcpy(sums, s, sizeof s);
}

// Column-major m x n sums.
std::vector<double> sums_of(const std::vector<double>& a, const std::vector<double>& b, const Problem& p) {
    std::vector<double> sums(p.m * p.n);
    double block[kRows * kColumns];
    for (std::uint64_t j = 0; j < p.n; j += kColumns)
        for (std::uint64_t i = 0; i < p.m; i += kRows) {
            tile(a.data() + i * p.k, b.data() + j * p.k, p.k, block);
            for (std::uint64_t y = 0; y < kColumns && j + y < p.n; ++y)
                for (std::uint64_t x = 0; x < kRows && i + x < p.m; ++x)
                    sums[(j + y) * p.m + i + x] = block[y * kRows + x];
        }
    return sums;
}

constexpr double kSqrt2OverPi = 0.7978845608028654, kCubic = 0.044715;

// The tanh form of Hendrycks and Gimpel 2016 (arXiv:1606.08415), which cuBLASLt uses, and its derivative.
float gelu(double x) { return float(0.5 * x * (1 + std::tanh(kSqrt2OverPi * (x + kCubic * x * x * x)))); }
double gelu_derivative(double x) {
    const double t = std::tanh(kSqrt2OverPi * (x + kCubic * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kSqrt2OverPi * (1 + 3 * kCubic * x * x);
}

Lines bias_of(const Problem& p, std::uint64_t batch) {
    const Description& d = p.description;
    const std::uint64_t offset = batch * std::uint64_t(d.bias_stride) * p.d.element_bytes();
    return {"the bias",     reinterpret_cast<std::uint64_t>(d.bias) + offset, 1, p.bias_length(), p.bias_length(),
            p.d.layout.type};
}

Lines aux_of(const Problem& p, std::uint64_t batch) {
    const Description& d = p.description;
    const std::uint64_t offset = batch * std::uint64_t(d.aux_stride) * p.d.element_bytes();
    return {"the auxiliary matrix", reinterpret_cast<std::uint64_t>(d.aux) + offset, p.n, p.m, std::uint64_t(d.aux_ld),
            p.d.layout.type};
}

void store_bias_gradient(const Problem& p, DeviceMemory& memory, std::uint64_t batch, const std::vector<double>& sums) {
    const Lines bias = bias_of(p, batch);
    const Elements out = bias.open(memory);
    for (std::uint64_t i = 0; i < p.bias_length(); ++i) out.set(i, float(sums[i]));
    bias.mark_written(memory);
}

// Sums over k of the rows of a packed operand.
std::vector<double> row_sums(const std::vector<double>& packed, std::uint64_t rows, std::uint64_t k,
                             std::uint64_t width) {
    std::vector<double> sums(rows, 0.0);
    for (std::uint64_t i = 0; i < rows; ++i)
        for (std::uint64_t p = 0; p < k; ++p) sums[i] += packed[i / width * width * k + p * width + i % width];
    return sums;
}

void finish(const Problem& p, DeviceMemory& memory, std::uint64_t batch, const std::vector<double>& sums) {
    const Lines d_lines = lines_of("D", p.d, batch), c_lines = lines_of("C", p.c, batch);
    const Elements d = d_lines.open(memory);
    Elements c{}, bias{}, aux{};
    if (p.beta != 0) c_lines.require_written(memory), c = c_lines.open(memory);
    if (p.adds_bias()) bias_of(p, batch).require_written(memory), bias = bias_of(p, batch).open(memory);
    if (p.gelu_gradient()) aux_of(p, batch).require_written(memory);
    if (p.has_aux()) aux = aux_of(p, batch).open(memory);
    std::vector<double> gradient(p.bias_length(), 0.0);
    const bool col = p.d.layout.order == CUBLASLT_ORDER_COL;
    for (std::uint64_t j = 0; j < p.n; ++j)
        for (std::uint64_t i = 0; i < p.m; ++i) {
            const auto at = [&](const Layout& l) {
                return col ? j * std::uint64_t(l.ld) + i : i * std::uint64_t(l.ld) + j;
            };
            const std::uint64_t at_aux = j * std::uint64_t(p.description.aux_ld) + i;
            float x = float(p.alpha) * float(sums[j * p.m + i]);
            if (p.beta != 0) x += float(p.beta) * c.get(at(p.c.layout));
            if (p.adds_bias()) x += bias.get(i);
            if (p.gelu()) {
                if (p.has_aux()) aux.set(at_aux, x);
                x = gelu(x);
            }
            if (p.gelu_gradient()) x = float(x * gelu_derivative(aux.get(at_aux)));
            if (p.has(16)) gradient[i] += x;
            d.set(at(p.d.layout), x);
        }
    d_lines.mark_written(memory);
    if (p.gelu() && p.has_aux()) aux_of(p, batch).mark_written(memory);
    if (p.has(16)) store_bias_gradient(p, memory, batch, gradient);
}

}  // namespace

void multiply(const Problem& p, DeviceMemory& memory) {
    if (p.workspace_bytes > 0)  // whatever was there is lost
        std::memset(memory.access(reinterpret_cast<std::uint64_t>(p.workspace), p.workspace_bytes), 0xff,
                    p.workspace_bytes);
    const bool tf32 = p.description.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    const bool ta = p.description.transpose_a != CUBLAS_OP_N, tb = p.description.transpose_b != CUBLAS_OP_N;
    for (std::uint64_t batch = 0; batch < std::uint64_t(p.d.layout.batches); ++batch) {
        const Lines a_lines = lines_of("A", p.a, batch), b_lines = lines_of("B", p.b, batch);
        a_lines.require_written(memory), b_lines.require_written(memory);
        const auto a = panels(p.a, a_lines.open(memory), ta, tf32, p.m, p.k, kRows);
        const auto b = panels(p.b, b_lines.open(memory), !tb, tf32, p.n, p.k, kColumns);
        finish(p, memory, batch, sums_of(a, b, p));
        if (p.has(CUBLASLT_EPILOGUE_BGRADA)) store_bias_gradient(p, memory, batch, row_sums(a, p.m, p.k, kRows));
        if (p.has(CUBLASLT_EPILOGUE_BGRADB)) store_bias_gradient(p, memory, batch, row_sums(b, p.n, p.k, kColumns));
    }
}

}  // namespace gpu_sim
