#pragma once
// The elementwise stages of optimizers, over lists of tensors: one op is one pass over a whole parameter group.
//
// All lists of an op have the same length and pairwise equal counts; all are f32 but `copies`. Scalars are f32 (1) on
// the device. `gate`, where given, makes the op a no-op when it holds 0: a bad step leaves weights and state as they
// were.
#include "ops/op.h"

#include <vector>

namespace steepest {

inline void require_matching(const TensorList& a, const TensorList& b, std::string_view op, std::string_view what) {
    bool ok = a.size() == b.size();
    for (std::size_t i = 0; ok && i < a.size(); ++i) ok = a[i].count() == b[i].count() && b[i].dtype == DType::f32;
    require(ok, op, what);
}

inline void require_scalar(const ConstTensor& t, std::string_view op, std::string_view what) {
    require(t && t.count() == 1 && t.dtype == DType::f32, op, what);
}

// With G = gradient_scale * g and the old m:   u = gain * (b1 m + (1 - b1) G);   m = b2 m + (1 - b2) G
//
//   u   may alias g
//   m   empty: as if b1 = b2 = 0 and nothing is kept
//
// b1 = b2 is the exponential average; (b^2, b) Nesterov's as Muon uses it; Lion is (0.9, 0.99): Chen et al. 2023,
// arXiv:2302.06675.
struct DualEma {
    static constexpr std::string_view name = "DualEma";

    TensorList u, m, g;
    ConstTensor gradient_scale, b1, b2;
    ConstTensor gate = {};
    float gain = 1;

    void check() const {
        require_matching(u, g, name, "u and g must match");
        if (!m.empty()) require_matching(u, m, name, "m must match u");
        require_scalar(gradient_scale, name, "gradient_scale must be one f32");
        require(m.empty() || (b1 && b2), name, "b1 and b2 are needed with m");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : u) visit("u", t);
        for (const Tensor& t : m) visit("m", t);
        for (const Tensor& t : g) visit("g", t);
    }
};
void run(Cpu&, const DualEma&);
void run(Cuda&, const DualEma&);

// With G = gradient_scale * g:   m = b1 m + (1 - b1) G;   v = b2 v + (1 - b2) G^2;
//   u = (m * m_correction) / (sqrt(v * v_correction) + epsilon),   corrections 1 / (1 - b^t)
// Kingma, Ba 2015, arXiv:1412.6980, algorithm 1.   u may alias g.   m empty: as if b1 = 0; b1 and m_correction are then
// not needed, and nothing is kept of the gradients themselves.
struct AdamEstimate {
    static constexpr std::string_view name = "AdamEstimate";

    TensorList u, m, v, g;
    ConstTensor gradient_scale, b1, b2, m_correction, v_correction;
    ConstTensor gate = {};
    float epsilon;

    void check() const {
        require_matching(u, g, name, "u and g must match");
        require_matching(u, v, name, "v must match u");
        for (const ConstTensor* t : {&gradient_scale, &b2, &v_correction})
            require_scalar(*t, name, "scalars must be one f32 each");
        if (m.empty()) return;
        require_matching(u, m, name, "m must match u");
        for (const ConstTensor* t : {&b1, &m_correction}) require_scalar(*t, name, "scalars must be one f32 each");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : u) visit("u", t);
        for (const Tensor& t : m) visit("m", t);
        for (const Tensor& t : v) visit("v", t);
        for (const Tensor& t : g) visit("g", t);
    }
};
void run(Cpu&, const AdamEstimate&);
void run(Cuda&, const AdamEstimate&);

// The corrected gradient of momentum variance reduction, with G = gradient_scale * g, H = other_scale * other:
//   c = G + strength * (G - H);   and, if keep_gradient, other = G
// strength is gamma * beta / (1 - beta): MARS, Yuan et al. 2024, arXiv:2411.10438; Muon-MVR, arXiv:2509.15816.
//   c may alias g.
struct MvrCorrect {
    static constexpr std::string_view name = "MvrCorrect";

    TensorList c, other, g;
    ConstTensor gradient_scale, other_scale, strength;
    ConstTensor gate = {};
    bool keep_gradient;

    void check() const {
        require_matching(c, g, name, "c and g must match");
        require_matching(c, other, name, "other must match c");
        for (const ConstTensor* t : {&gradient_scale, &other_scale, &strength})
            require_scalar(*t, name, "scalars must be one f32 each");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : c) visit("c", t);
        for (const Tensor& t : other) visit("other", t);
        for (const Tensor& t : g) visit("g", t);
    }
};
void run(Cpu&, const MvrCorrect&);
void run(Cuda&, const MvrCorrect&);

// For each tensor i, with C = c / max(1, sqrt(sums[i]) / max_norm) (C = c if max_norm is 0):
//   m = beta m + (1 - beta) C;   u = gain * m
//
//   sums   (n)  f32: the sum of squares of each c, from SumOfSquares; empty if max_norm is 0
//   u      may alias c
struct ClippedEma {
    static constexpr std::string_view name = "ClippedEma";

    TensorList u, m, c;
    ConstTensor sums = {};
    ConstTensor beta;
    ConstTensor gate = {};
    float max_norm;
    float gain = 1;

    void check() const {
        require_matching(u, c, name, "u and c must match");
        require_matching(u, m, name, "m must match u");
        require_scalar(beta, name, "beta must be one f32");
        require(max_norm == 0 || sums.count() == static_cast<std::int64_t>(c.size()), name,
                "sums must hold one value a tensor");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : u) visit("u", t);
        for (const Tensor& t : m) visit("m", t);
        for (const Tensor& t : c) visit("c", t);
    }
};
void run(Cpu&, const ClippedEma&);
void run(Cuda&, const ClippedEma&);

// With G = gradient_scale * g, where g is not 0:   m = beta m + (1 - beta) G;   and everywhere   u = m
//
//   u   may alias g
struct MaskedEma {
    static constexpr std::string_view name = "MaskedEma";

    TensorList u, m, g;
    ConstTensor gradient_scale, beta;
    ConstTensor gate = {};

    void check() const {
        require_matching(u, g, name, "u and g must match");
        require_matching(u, m, name, "m must match u");
        for (const ConstTensor* t : {&gradient_scale, &beta}) require_scalar(*t, name, "scalars must be one f32 each");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : u) visit("u", t);
        for (const Tensor& t : m) visit("m", t);
        for (const Tensor& t : g) visit("g", t);
    }
};
void run(Cpu&, const MaskedEma&);
void run(Cuda&, const MaskedEma&);

// x = sign(x), with sign(0) = 0: the direction of steepest descent under the max norm.
//
//   dual   (n) f32, optional: <x[i], sign(x[i])>, the sum of absolute values, in an order fixed by the shapes
struct Sign {
    static constexpr std::string_view name = "Sign";

    TensorList x;
    Tensor dual = {};

    void check() const {
        for (const Tensor& t : x) require(t.dtype == DType::f32, name, "x must be f32");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
    }
};
void run(Cpu&, const Sign&);
void run(Cuda&, const Sign&);

// x[i] = x[i] / sqrt(sums[i]), or / sqrt(sums[0]) if there is one sum for all; zero where the sum is zero: the
// direction of steepest descent under the Euclidean (Frobenius) norm. The dual norm is the square root of the sum.
//
//   sums       (n) or (1) f32, from SumOfSquares
//   targets    (n) f32, optional: what the sums are to be afterwards, instead of 1
//   max_norm   above 0: x[i] = x[i] / max(1, sqrt(sums[i]) / max_norm): long ones are cut, short ones stay
struct Normalize {
    static constexpr std::string_view name = "Normalize";

    TensorList x;
    ConstTensor sums, targets = {};
    float max_norm = 0;

    void check() const {
        const auto n = static_cast<std::int64_t>(x.size());
        for (const Tensor& t : x) require(t.dtype == DType::f32, name, "x must be f32");
        require(sums.count() == 1 || sums.count() == n, name, "sums must hold one value, or one a tensor");
        require(!targets || targets.count() == n, name, "targets must hold one value a tensor");
        require(!targets || max_norm == 0, name, "targets and max_norm exclude each other");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
        visit("sums", sums), visit("targets", targets);
    }
};
void run(Cpu&, const Normalize&);
void run(Cuda&, const Normalize&);

// w = (1 - learning_rate * weight_decay) w - learning_rate * factors[i] * lengths[i] * cut * direction;
// copy = w rounded to its dtype
// Decay is decoupled, by the plain learning rate: Loshchilov, Hutter 2019, arXiv:1711.05101, and as Moonlight's Muon.
//
//   copies    f32 or bf16; empty, or with empty tensors, where the ops read the masters themselves
//   factors   one a tensor, from the group's scaling formula
//   lengths   (n) f32, optional: what the step's length depends on beside shapes
//   cut       (1) f32, optional: for all tensors of all groups alike
struct WeightUpdate {
    static constexpr std::string_view name = "WeightUpdate";

    TensorList weights, copies, directions;
    std::vector<float> factors;
    ConstTensor learning_rate, weight_decay, lengths = {}, cut = {};
    ConstTensor gate = {};

    void check() const {
        require_matching(weights, directions, name, "weights and directions must match");
        require(copies.empty() || copies.size() == weights.size(), name, "one copy a weight, or none");
        for (std::size_t i = 0; i < copies.size(); ++i)
            require(!copies[i] || copies[i].count() == weights[i].count(), name, "copies must match their weights");
        require(factors.size() == weights.size(), name, "one factor a weight");
        require_scalar(learning_rate, name, "learning_rate must be one f32");
        require_scalar(weight_decay, name, "weight_decay must be one f32");
        require(!lengths || lengths.count() == static_cast<std::int64_t>(weights.size()), name, "one length a weight");
        if (cut) require_scalar(cut, name, "cut must be one f32");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : weights) visit("weight", t);
        for (const Tensor& t : copies) visit("copy", t);
        for (const Tensor& t : directions) visit("direction", t);
    }
};
void run(Cpu&, const WeightUpdate&);
void run(Cuda&, const WeightUpdate&);

// x[i] = a x[i] + b factors[i] y[i], the factors being ones where they are not given; with a = 0 x is not read.
//
//   factors   (n) f32, optional
struct AddScaled {
    static constexpr std::string_view name = "AddScaled";

    TensorList x, y;
    float a = 1, b = 1;
    ConstTensor factors = {};
    ConstTensor gate = {};

    void check() const {
        require_matching(x, y, name, "x and y must match");
        require(!factors || (factors.dtype == DType::f32 && factors.count() == static_cast<std::int64_t>(x.size())),
                name, "factors must be f32, one a tensor");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
        for (const Tensor& t : y) visit("y", t);
    }
};
void run(Cpu&, const AddScaled&);
void run(Cuda&, const AddScaled&);

// to[i] = from[i], converting between f32 and bf16.
struct Copy {
    static constexpr std::string_view name = "Copy";

    TensorList to, from;
    ConstTensor gate = {};

    void check() const {
        bool ok = to.size() == from.size();
        for (std::size_t i = 0; ok && i < to.size(); ++i)
            ok = to[i].count() == from[i].count() && is_float(to[i].dtype) && is_float(from[i].dtype);
        require(ok, name, "to and from must match");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : to) visit("to", t);
        for (const Tensor& t : from) visit("from", t);
    }
};
void run(Cpu&, const Copy&);
void run(Cuda&, const Copy&);

}  // namespace steepest
