#pragma once
// The polynomials that published optimizers use to orthogonalize, by name: what Orthogonalize takes as coefficients.
#include "ops/newton_schulz.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace steepest {

// Fields of Orthogonalize with the same names.
struct NewtonSchulzSet {
    std::vector<std::array<double, 3>> coefficients;  // (a, b, c) of s -> a s + b s^3 + c s^5, one a step
    float norm_factor = 1, epsilon = 1e-7f;

    // gram where that is as exact as x: in f32, and in bf16 where every step is the same polynomial. Lists that change
    // are made for the interval in which the steps before leave singular values, and two steps with a rounded Gram
    // matrix may leave it: the second and third of Polar Express diverge in bf16.
    NewtonSchulzForm form(DType compute) const;
};

// `steps` steps of a set: the first of its list, the last one repeated where the list is shorter. Sets that are one
// polynomial repeat it. Throws InputError for an unknown name or steps < 1.
//
//   keller               one: fast, singular values end anywhere in 0.68 .. 1.13
//   taylor               one: the quintic that is flat at 1, slow for small singular values
//   cubic                one: Newton-Schulz proper, c = 0
//   simple               one: (2, -1.5, 0.5)
//   dion                 five
//   jiacheng             six
//   polar_express        five, with the matrix scaled down by 1.02
//   polar_express_paper  eight, all but the last with a safety factor; the last is taylor
NewtonSchulzSet newton_schulz_set(std::string_view name, int steps);

// Every name, in the order above.
std::vector<std::string> newton_schulz_names();

// The steps that the set's authors use.
int newton_schulz_default_steps(std::string_view name);

}  // namespace steepest
