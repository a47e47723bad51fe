#pragma once
// Matrix multiplication for the CPU backend: C = alpha A B + beta C, in tiles, on all threads, with a hook on each
// finished tile. Internal to kernels/cpu: ops call it.
#include "core/tensor.h"
#include "kernels/cpu/cpu.h"

#include <cstdint>
#include <type_traits>

namespace steepest::cpu {

// A matrix in memory somebody else owns. One of the two strides, in elements, is 1; t() is the transpose of the same
// bytes.
template <class Pointer>
struct BasicMatrix {
    Pointer data = nullptr;
    DType dtype = DType::f32;
    std::int64_t rows = 0, cols = 0;
    std::int64_t row_stride = 0, col_stride = 1;

    BasicMatrix() = default;
    // A tensor seen as a matrix of its last dimension's rows.
    explicit BasicMatrix(const BasicTensor<Pointer>& t)
        : BasicMatrix(t.data, t.dtype, t.shape.rows(), t.shape.cols(), t.shape.cols()) {}
    // Row-major; stride >= cols.
    BasicMatrix(Pointer d, DType type, std::int64_t r, std::int64_t c, std::int64_t stride)
        : data(d), dtype(type), rows(r), cols(c), row_stride(stride) {}
    template <class Other>
    requires(!std::is_same_v<Other, Pointer> && std::is_convertible_v<Other, Pointer>)
        BasicMatrix(const BasicMatrix<Other>& m)
        : data(m.data),
          dtype(m.dtype),
          rows(m.rows),
          cols(m.cols),
          row_stride(m.row_stride),
          col_stride(m.col_stride) {}

    BasicMatrix t() const {
        BasicMatrix m = *this;
        m.rows = cols, m.cols = rows, m.row_stride = col_stride, m.col_stride = row_stride;
        return m;
    }
    BasicMatrix block(std::int64_t row, std::int64_t col, std::int64_t n_rows, std::int64_t n_cols) const {
        using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const std::byte, std::byte>;
        BasicMatrix m = *this;
        m.data = static_cast<Byte*>(data) + (row * row_stride + col * col_stride) * size_of(dtype);
        m.rows = n_rows, m.cols = n_cols;
        return m;
    }
};
using Matrix = BasicMatrix<void*>;
using ConstMatrix = BasicMatrix<const void*>;

// A finished piece of C in f32, rounded to C's type only after the epilogue has seen it. Element (i, j) is data[i *
// stride + j].
struct Block {
    float* data;
    std::int64_t stride;
    std::int64_t row, col;  // where in C it begins
    std::int64_t rows, cols;
};

// Refers to a callable void(const Block&), which must outlive the call of gemm(). Called once for each tile, from any
// thread, while the tile is in cache; must not throw.
class Epilogue {
public:
    Epilogue() = default;
    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Epilogue>) Epilogue(const F& f)
        : context_(&f),
          call_([](const void* context, const Block& block) { (*static_cast<const F*>(context))(block); }) {}

    explicit operator bool() const { return call_ != nullptr; }
    void operator()(const Block& block) const { call_(context_, block); }

private:
    const void* context_ = nullptr;
    void (*call_)(const void*, const Block&) = nullptr;
};

// C = alpha A B + beta C, then the epilogue.
//
//   a  (M, K)  f32 or bf16, either stride 1
//   b  (K, N)  f32 or bf16, either stride 1
//   c  (M, N)  f32 or bf16, rows contiguous; overlaps neither a nor b; not read if beta is 0
//
// Sums are kept in f32. bf16 times bf16 is exact but for instructions that flush subnormal numbers; f32 times bf16 is
// computed in f32. K = 0 gives beta C. The same bytes for any number of threads. Allocates only when a thread calls it
// for the first time, and then the same amount for every shape. Inside a parallel region it runs on the calling thread
// alone.
struct Gemm {
    Matrix c;
    ConstMatrix a, b;
    float alpha = 1, beta = 0;
    Epilogue epilogue{};
    // C is known to be symmetric (M = N): only what touches the upper triangle is computed, with the same bits as
    // without this flag, and then mirrored. With beta != 0 only the upper triangle of C is read. The epilogue may see
    // unfinished numbers below the diagonal.
    bool symmetric = false;
};

void gemm(const Cpu& cpu, const Gemm& g);

}  // namespace steepest::cpu
