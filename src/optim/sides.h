#pragma once
// Matrices and the square ones of their shorter sides, in whichever orientation they are stored: what a formula writes
// X X^T and H X of wide matrices is X^T X and X H of tall ones.
#include "core/device.h"
#include "core/tensor.h"

#include <vector>

namespace steepest {

// (k, k) for each, k the shorter side.
std::vector<Shape> side_shapes(const std::vector<Shape>& matrices);

// h[i] = alpha x[i] y[i]^T + identity I, known to be symmetric.
struct SideProduct {
    TensorList h, x, y;
    float alpha = 1, identity = 0;
};
void multiply(Device device, const SideProduct& product);

// z[i] = alpha h[i] x[i] + beta d[i];   d may be left out, and may be z.
struct SideApplication {
    TensorList z, h, x, d = {};
    float alpha = 1, beta = 1;
};
void multiply(Device device, const SideApplication& application);

// h[i] += value I.
void add_to_diagonal(Device device, const TensorList& h, float value);
// h[i] = I.
void set_to_identity(Device device, const TensorList& h);

// Of multiply() each.
std::int64_t side_flops(const std::vector<Shape>& matrices);

}  // namespace steepest
