#pragma once
// The product itself. Cost: 2 m n k flops in double at about 10 Gflop/s, copies of both operands in double.
#include "tests/gpu_sim/cublaslt/problem.h"
#include "tests/gpu_sim/machine/machine.h"

namespace gpu_sim {

// Throws Fault.
void multiply(const Problem&, DeviceMemory&);

}  // namespace gpu_sim
