#pragma once
// The backend a config asks for, owned: the one place that constructs one.
#include "core/device.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cuda/devices.h"
#include "train/run_config.h"

#include <memory>
#include <optional>
#include <string>

namespace steepest::cli {

class Backend {
public:
    // Throws InputError if the config asks for what is not there. "auto" takes the first GPU that can be used.
    explicit Backend(const RunConfig& config);
    Device device();
    // For people and manifests: what it is, its threads, what multiplies its matrices.
    std::string describe() const;
    // Why "auto" took no GPU, for people; empty where it did or was not asked.
    const std::string& why_no_gpu() const { return why_no_gpu_; }

private:
    std::unique_ptr<CudaBackend> cuda_;
    std::optional<Cpu> cpu_;  // one of the two
    std::string why_no_gpu_;
};

}  // namespace steepest::cli
