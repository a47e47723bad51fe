#pragma once
// A kernel launch: checked against the limits that a device has, its arguments copied, enqueued.
#include "tests/gpu_sim/runtime/runtime.h"

namespace gpu_sim {

void launch(Runtime&, Stream&, const void* function, dim3 grid, dim3 block, void** arguments, std::uint64_t shared);

unsigned dynamic_shared_limit(const Function&, const Module::KernelInfo&);
// PTX does not say what ptxas will allocate; the most that the launch bounds allow, up to a customary figure.
int registers_assumed(const Module::KernelInfo&);
int blocks_per_multiprocessor(const Module::KernelInfo&, int threads, std::uint64_t shared);

}  // namespace gpu_sim
