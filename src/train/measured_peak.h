#pragma once
// What a device's products reach here, beside what its data sheet says.
#include "core/device.h"
#include "core/tensor.h"

#include <cstdint>

namespace steepest {

// Flop/s of the product of two matrices of side x side normal numbers, stored in `dtype` (f32 or bf16): the best of
// twenty. Numbers of all bits, because a GPU clocks higher on zeros than it can on a model's. Allocates 12 side^2 bytes
// for the time.
double measured_peak_flops(Device device, DType dtype, std::int64_t side);

}  // namespace steepest
