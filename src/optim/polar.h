#pragma once
// The polar factor to rounding, for stages that compute with it: Newton-Schulz in fp32 with a set that converges.
#include "optim/binding.h"

namespace steepest {

// Twelve steps: those of polar_express_paper, and its last one again. Singular values s from 1e-4 of the Frobenius norm
// N on end at 1 but for the rounding of products; smaller ones at some t in (0, 1], and (1 - t) s < 3.5e-6 N.
class Polar {
public:
    // Scratch for as many of the matrices at a time as 64 MiB hold.
    void prepare(Binding& binding, const std::string& name, const std::vector<Shape>& shapes);
    // x[i] = its polar factor, of matrices that are among those shapes; dual (n), optional: the nuclear norms.
    void replace(Device device, const TensorList& x, Tensor dual = {}) const;
    static std::int64_t flops(const std::vector<Shape>& shapes);

private:
    Tensor scratch_;
};

}  // namespace steepest
