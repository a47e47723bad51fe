#pragma once
// How long a step is, and where it leads, decided on the device from inner products of estimates, directions, gradients
// and weights. What goes in and out are single f32 numbers, or one a tensor.
#include "ops/op.h"

namespace steepest {

// total (+)= scale * sum of a[i] b[i] c[i], in double.
//
//   a       (n)
//   b, c    (n), or nothing for ones
//   scale   (1), or nothing for 1
struct SumOfProducts {
    static constexpr std::string_view name = "SumOfProducts";

    Tensor total;
    ConstTensor a, b = {}, c = {}, scale = {};
    bool accumulate = false;

    void check() const {
        require(total.count() == 1 && total.dtype == DType::f32, name, "total must be one f32");
        require(a.dtype == DType::f32, name, "a must be f32");
        for (const ConstTensor* t : {&b, &c})
            require(!*t || (t->dtype == DType::f32 && t->count() == a.count()), name, "a, b and c must match");
    }
    void tensors(auto&& visit) const {
        visit("total", total), visit("a", a), visit("b", b), visit("c", c), visit("scale", scale);
    }
};
void run(Cpu&, const SumOfProducts&);
void run(Cuda&, const SumOfProducts&);

// The length of each tensor's direction, whose dual norm <U, D> is d[i], by the norm of all tensors together:
//
//   own     d[i]: steepest descent under the root of the sum of squared norms
//   sum     the sum of all d: steepest descent under the largest norm
//   share   d[i] over the root of the sum of all d^2: the LMO of the root of the sum of squared norms
//
// Crawshaw et al. 2025, arXiv:2510.09827.   lengths (n) may be d (n).
struct DualLengths {
    static constexpr std::string_view name = "DualLengths";
    enum class Form { own, sum, share };

    Tensor lengths;
    ConstTensor d;
    Form form;

    void check() const {
        require(lengths.dtype == DType::f32 && d.dtype == DType::f32 && lengths.count() == d.count(), name,
                "one f32 a tensor each");
    }
    void tensors(auto&& visit) const { visit("lengths", lengths), visit("d", d); }
};
void run(Cpu&, const DualLengths&);
void run(Cuda&, const DualLengths&);

// factor = min(1, limit / decrease) (1 where decrease <= limit, also if it is 0): the step that was planned, whose
// inner product with the estimates is `decrease`, cut where the model of the loss would fall under its floor.
//
//   model    (1) state:  model = beta model + (1 - beta) (loss - gradient_weight)
//   limit    max(0, model - floor + estimate_weight)
//
//   gradient_weight   <G, W>, estimate_weight <M, W>, decrease <M, step>, over all parameters
//
// MoMo: Schaipp et al. 2024, arXiv:2305.07583. With gate = 0 nothing changes.
struct MomoFactor {
    static constexpr std::string_view name = "MomoFactor";

    Tensor factor, model;
    ConstTensor loss, gradient_weight, estimate_weight, decrease, beta, gate = {};
    float floor;

    void check() const {
        for (const ConstTensor t :
             {ConstTensor(factor), ConstTensor(model), loss, gradient_weight, estimate_weight, decrease, beta})
            require(t && t.count() == 1 && t.dtype == DType::f32, name, "all tensors must be one f32");
    }
    void tensors(auto&& visit) const {
        visit("factor", factor), visit("model", model), visit("loss", loss);
        visit("gradient_weight", gradient_weight), visit("estimate_weight", estimate_weight);
        visit("decrease", decrease), visit("beta", beta);
    }
};
void run(Cpu&, const MomoFactor&);
void run(Cuda&, const MomoFactor&);

// factor = min(largest, decrease).   All (1) f32.
// Clipped Scion: Pethick et al. 2025, arXiv:2506.01913.
struct ClippedLength {
    static constexpr std::string_view name = "ClippedLength";

    Tensor factor;
    ConstTensor decrease;
    float largest;

    void check() const {
        for (const ConstTensor t : {ConstTensor(factor), decrease})
            require(t && t.count() == 1 && t.dtype == DType::f32, name, "all tensors must be one f32");
    }
    void tensors(auto&& visit) const { visit("factor", factor), visit("decrease", decrease); }
};
void run(Cpu&, const ClippedLength&);
void run(Cuda&, const ClippedLength&);

// Which of two directions a tensor takes, as factors of both:
//   first[i], second[i] = gains[i], 0 where a[i] <= limits[i] b[i];  0, 1 elsewhere
// All (n) f32.
struct Choose {
    static constexpr std::string_view name = "Choose";

    Tensor first, second;
    ConstTensor a, b, limits, gains;

    void check() const {
        for (const ConstTensor t : {ConstTensor(first), ConstTensor(second), a, b, limits, gains})
            require(t.dtype == DType::f32 && t.count() == first.count(), name, "one f32 a tensor each");
    }
    void tensors(auto&& visit) const {
        visit("first", first), visit("second", second);
        visit("a", a), visit("b", b), visit("limits", limits), visit("gains", gains);
    }
};
void run(Cpu&, const Choose&);
void run(Cuda&, const Choose&);

}  // namespace steepest
