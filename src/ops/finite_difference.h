#pragma once
// Derivatives along a direction, of two losses.
#include "ops/op.h"

namespace steepest {

// slopes[i] = (plus - minus) / distance for all i, in double, which losses in f32 leave about 2^-24 loss / distance of
// error.
//
//   slopes        (n) f32: one number, as often as there are tensors that want it for a factor
//   plus, minus   (1) f32
struct FiniteDifference {
    static constexpr std::string_view name = "FiniteDifference";

    Tensor slopes;
    ConstTensor plus, minus;
    double distance;

    void check() const {
        require(slopes.dtype == DType::f32, name, "slopes must be f32");
        for (const ConstTensor& t : {plus, minus})
            require(t && t.count() == 1 && t.dtype == DType::f32, name, "losses must be one f32 each");
        require(distance > 0, name, "distance must be above 0");
    }
    void tensors(auto&& visit) const { visit("slopes", slopes), visit("plus", plus), visit("minus", minus); }
};
void run(Cpu&, const FiniteDifference&);
void run(Cuda&, const FiniteDifference&);

}  // namespace steepest
