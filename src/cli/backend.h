#pragma once
// The backend a config asks for, owned: the one place that constructs one.
#include "core/device.h"
#include "kernels/cpu/cpu.h"
#include "train/run_config.h"

#include <memory>
#include <string>

namespace steepest::cli {

class Backend {
public:
    explicit Backend(const RunConfig& config) : cpu_(config.threads) {}
    Device device() { return &cpu_; }
    // For people and manifests: what it is, its threads, what multiplies its matrices.
    std::string describe() const { return "cpu: " + cpu_.describe(); }

private:
    Cpu cpu_;
};

}  // namespace steepest::cli
