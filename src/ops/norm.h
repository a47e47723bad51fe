#pragma once
// Reductions of tensor lists to single numbers, in an order fixed by the shapes alone, and what a step decides from
// them.
#include "ops/op.h"

#include <array>

namespace steepest {

// sums[i] = sum of squares of list[i], or sums[0] = the sum over the whole list if `sums` has one element and the list
// more.
//
//   sums   (n) or (1)  f32
//   list   f32
struct SumOfSquares {
    static constexpr std::string_view name = "SumOfSquares";

    Tensor sums;
    TensorList list;

    void check() const {
        require(
            sums.dtype == DType::f32 && (sums.count() == 1 || sums.count() == static_cast<std::int64_t>(list.size())),
            name, "sums must hold one value, or one a tensor");
        for (const Tensor& t : list) require(t.dtype == DType::f32, name, "the list must be f32");
    }
    void tensors(auto&& visit) const {
        visit("sums", sums);
        for (const Tensor& t : list) visit("x", t);
    }
};
void run(Cpu&, const SumOfSquares&);
void run(Cuda&, const SumOfSquares&);

// sums[i] = <a[i], b[i]>, in double.
//
//   sums   (n)  f32
//   a, b   f32, the same counts
struct Dot {
    static constexpr std::string_view name = "Dot";

    Tensor sums;
    TensorList a, b;

    void check() const {
        require(sums.dtype == DType::f32 && sums.count() == static_cast<std::int64_t>(a.size()), name,
                "sums must hold one value a tensor");
        bool ok = a.size() == b.size();
        for (std::size_t i = 0; ok && i < a.size(); ++i)
            ok = a[i].dtype == DType::f32 && b[i].dtype == DType::f32 && a[i].count() == b[i].count();
        require(ok, name, "a and b must match and be f32");
    }
    void tensors(auto&& visit) const {
        visit("sums", sums);
        for (const Tensor& t : a) visit("a", t);
        for (const Tensor& t : b) visit("b", t);
    }
};
void run(Cpu&, const Dot&);
void run(Cuda&, const Dot&);

// sums[i] = the sum of the square roots of list[i], which must not be negative.   sums (n) f32, list f32.
struct SumOfRoots {
    static constexpr std::string_view name = "SumOfRoots";

    Tensor sums;
    TensorList list;

    void check() const {
        require(sums.dtype == DType::f32 && sums.count() == static_cast<std::int64_t>(list.size()), name,
                "sums must hold one value a tensor");
        for (const Tensor& t : list) require(t.dtype == DType::f32, name, "the list must be f32");
    }
    void tensors(auto&& visit) const {
        visit("sums", sums);
        for (const Tensor& t : list) visit("x", t);
    }
};
void run(Cpu&, const SumOfRoots&);
void run(Cuda&, const SumOfRoots&);

// total (+)= scale * sum of values, in order, in double on the host backend.   total (1) f32, values (n) f32.
struct Sum {
    static constexpr std::string_view name = "Sum";

    Tensor total;
    ConstTensor values;
    float scale = 1;
    bool accumulate = false;

    void check() const {
        require(total.count() == 1 && total.dtype == DType::f32, name, "total must be one f32");
        require(values.dtype == DType::f32, name, "values must be f32");
    }
    void tensors(auto&& visit) const { visit("total", total), visit("values", values); }
};
void run(Cpu&, const Sum&);
void run(Cuda&, const Sum&);

// norm = |slope| sqrt(sum);   factor = slope * min(1, max_norm / norm) (slope if max_norm is 0), slope 1 if not given:
// where the gradient is slope times that of `sum`;
// ok = 1 if sum, slope and loss are finite (and each of also_ok, where given, is 1), else 0.
// Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063, algorithm 1. All tensors (1) f32; ok may alias one of also_ok.
struct ClipFactor {
    static constexpr std::string_view name = "ClipFactor";

    Tensor norm, factor, ok;
    ConstTensor sum, loss, slope = {};
    std::array<ConstTensor, 2> also_ok = {};
    float max_norm;

    void check() const {
        for (const ConstTensor t : {ConstTensor(norm), ConstTensor(factor), ConstTensor(ok), sum, loss})
            require(t && t.count() == 1 && t.dtype == DType::f32, name, "all tensors must be one f32");
        require(!slope || slope.dtype == DType::f32, name, "slope must be f32");
    }
    void tensors(auto&& visit) const {
        visit("norm", norm), visit("factor", factor), visit("ok", ok), visit("sum", sum), visit("loss", loss);
        visit("slope", slope);
        for (const ConstTensor& t : also_ok) visit("also_ok", t);
    }
};
void run(Cpu&, const ClipFactor&);
void run(Cuda&, const ClipFactor&);

}  // namespace steepest
