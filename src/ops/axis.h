#pragma once
// Rows and columns of matrices: their norms, and matrices whose rows or columns are divided by something.
#include "ops/elementwise.h"

namespace steepest {

enum class Axis { rows, columns };

// One value a row, or one a column.
inline std::int64_t along(const Shape& matrix, Axis axis) { return axis == Axis::rows ? matrix.rows() : matrix.cols(); }
inline void require_along(const TensorList& matrices, const TensorList& values, Axis axis, std::string_view op) {
    bool ok = matrices.size() == values.size();
    for (std::size_t i = 0; ok && i < matrices.size(); ++i)
        ok = matrices[i].dtype == DType::f32 && values[i].dtype == DType::f32 &&
             values[i].count() == along(matrices[i].shape, axis);
    require(ok, op, "there must be one f32 for each row, or column, of the f32 matrices");
}

// sums[i][k] = the sum (or, if `mean`, the mean) of squares of row k, or column k, of x[i]. Sums are in double.
struct AxisSquares {
    static constexpr std::string_view name = "AxisSquares";

    TensorList sums, x;
    Axis axis;
    bool mean = false;

    void check() const { require_along(x, sums, axis, name); }
    void tensors(auto&& visit) const {
        for (const Tensor& t : sums) visit("sums", t);
        for (const Tensor& t : x) visit("x", t);
    }
};
void run(Cpu&, const AxisSquares&);
void run(Cuda&, const AxisSquares&);

// Row k, or column k, of x[i] = itself / (sqrt(values[i][k] + inside) + outside); zero where that is zero.
struct DivideByRoots {
    static constexpr std::string_view name = "DivideByRoots";

    TensorList x, values;
    Axis axis;
    float inside = 0, outside = 0;

    void check() const { require_along(x, values, axis, name); }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
        for (const Tensor& t : values) visit("values", t);
    }
};
void run(Cpu&, const DivideByRoots&);
void run(Cuda&, const DivideByRoots&);

}  // namespace steepest
