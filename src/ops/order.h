#pragma once
// Rows of matrices put in an order that the device finds.
#include "ops/op.h"

namespace steepest {

// keys[i][k] = <row k of x[i], row k of y[i]>, in double;  ranks[i][k] = where row k comes when rows are put in
// descending order of their keys, equal ones in the order they have.
//
//   ranks, keys   (rows) f32 each, ranks whole numbers
//   x, y          (rows, cols) f32
struct RowRanks {
    static constexpr std::string_view name = "RowRanks";

    TensorList ranks, keys, x, y;

    void check() const {
        bool ok = ranks.size() == x.size() && keys.size() == x.size() && y.size() == x.size();
        for (std::size_t i = 0; ok && i < x.size(); ++i) {
            for (const Tensor* t : {&ranks[i], &keys[i]})
                ok = ok && t->dtype == DType::f32 && t->count() == x[i].shape.rows();
            ok = ok && x[i].dtype == DType::f32 && y[i].dtype == DType::f32 && x[i].shape == y[i].shape &&
                 x[i].shape.rank() == 2;
        }
        require(ok, name, "x and y must be matching f32 matrices, ranks and keys hold one f32 a row");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : ranks) visit("ranks", t);
        for (const Tensor& t : keys) visit("keys", t);
        for (const Tensor& t : x) visit("x", t);
        for (const Tensor& t : y) visit("y", t);
    }
};
void run(Cpu&, const RowRanks&);
void run(Cuda&, const RowRanks&);

// to[i][r(j)][c(k)] = from[i][j][k],   r and c the ranks, from RowRanks, of rows and columns; the identity where a
// tensor of them is empty. `to` overlaps nothing.
struct Permute {
    static constexpr std::string_view name = "Permute";

    TensorList to, from, rows, columns;

    void check() const {
        bool ok = to.size() == from.size() && rows.size() == to.size() && columns.size() == to.size();
        for (std::size_t i = 0; ok && i < to.size(); ++i)
            ok = to[i].dtype == DType::f32 && from[i].dtype == DType::f32 && to[i].shape == from[i].shape &&
                 to[i].shape.rank() == 2 && (!rows[i] || rows[i].count() == to[i].shape.rows()) &&
                 (!columns[i] || columns[i].count() == to[i].shape.cols());
        require(ok, name, "to and from must be matching f32 matrices, ranks one f32 a row and a column, or none");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : to) visit("to", t);
        for (const Tensor& t : from) visit("from", t);
    }
};
void run(Cpu&, const Permute&);
void run(Cuda&, const Permute&);

}  // namespace steepest
