#pragma once
// StepScalars: every number that changes from step to step (learning rates, bias corrections, ...), in one block of
// device memory written by one copy a step. Ops take addresses in it, never the numbers, so that a recorded launch plan
// stays valid.
#include "core/memory.h"
#include "core/pipeline.h"

#include <memory>
#include <string>
#include <vector>

namespace steepest {

class StepScalars {
public:
    // Reserves a number and returns its slot. Only before allocate().
    int add(std::string name);
    void allocate(Device device);

    void set(int slot, double value) { host_[slot] = static_cast<float>(value); }
    float get(int slot) const { return host_[slot]; }
    // Makes what was set visible to ops that run from now on.
    void upload();
    // f32 (1) on the device. Only after allocate().
    ConstTensor operator[](int slot) const;
    const std::string& name(int slot) const { return names_[slot]; }

private:
    Buffer buffer_;
    std::unique_ptr<Feed> feed_;
    std::vector<float> host_;
    std::vector<std::string> names_;
};

}  // namespace steepest
