#pragma once
// A few orthonormal rows from a few rows: the step that a factorisation in panels of rows takes between its products.
#include "ops/op.h"

namespace steepest {

// For each matrix, rows in order: what the rows before span is subtracted from a row, twice, and the row is divided by
// what is left of its norm (zero rows stay zero). So x = L Q with L lower triangular, its diagonal positive, and Q
// takes the place of x: the QR factorisation of the transpose. Twice is enough: Giraud, Langou, Rozloznik 2005.
//
//   x   (rows, cols) f32, at most kMostRows rows
//
// Sums are in double.
struct GramSchmidt {
    static constexpr std::string_view name = "GramSchmidt";
    static constexpr std::int64_t kMostRows = 32;

    TensorList x;
    ConstTensor gate = {};

    void check() const {
        for (const Tensor& t : x)
            require(t.dtype == DType::f32 && t.shape.rank() == 2 && t.shape.rows() <= kMostRows, name,
                    "x must be f32 matrices of at most 32 rows");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
    }
    std::int64_t flops() const {
        std::int64_t total = 0;
        for (const Tensor& t : x) total += 4 * t.shape.rows() * t.count();
        return total;
    }
};
void run(Cpu&, const GramSchmidt&);
void run(Cuda&, const GramSchmidt&);

}  // namespace steepest
