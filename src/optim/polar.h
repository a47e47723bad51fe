#pragma once
// Polar factors by Newton-Schulz iteration: Orthogonalize with its set of polynomials, its precision and its scratch.
#include "ops/orthogonalize.h"
#include "optim/binding.h"
#include "optim/geometry/newton_schulz_sets.h"

#include <optional>
#include <string>

namespace steepest {

// The default is for stages that compute with the factor, to rounding: the steps of polar_express_paper, and its last
// one again up to twelve. Singular values s from 1e-4 of the Frobenius norm N on end at 1 but for the rounding of
// products; smaller ones at some t in (0, 1], and (1 - t) s < 3.5e-6 N.
struct PolarOptions {
    std::string coefficients = "polar_express_paper";
    std::optional<int> steps = 12;  // none: as many as the authors of the coefficients take
    DType compute = DType::f32;
    // none: the set's. x here: of a matrix of low rank, form gram is off by more in the directions without values, and
    // functions of X P^T no longer have its eigenvalues above zero.
    std::optional<NewtonSchulzForm> form = NewtonSchulzForm::x;
    bool divides = true;              // false: matrices are iterated on as they are, at most of norm 1
    std::int64_t scratch_limit = 64;  // MiB for matrices that are worked on at a time; one always fits
};

class Polar {
public:
    explicit Polar(const PolarOptions& options = {});

    void prepare(Binding& binding, const std::string& name, const std::vector<Shape>& shapes);
    // x[i] = its polar factor, of matrices that are among those shapes. `dual` (n), optional: the nuclear norms; `gate`
    // as Orthogonalize's.
    void replace(Device device, const TensorList& x, Tensor dual = {}, ConstTensor gate = {}) const;
    std::int64_t flops(const std::vector<Shape>& shapes) const;

private:
    Orthogonalize iteration() const;

    PolarOptions options_;
    NewtonSchulzSet set_;
    Tensor scratch_;
};

}  // namespace steepest
