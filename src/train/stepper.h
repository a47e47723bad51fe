#pragma once
// Stepper: one optimisation step, in the order the data flows. It knows nothing of files, logs or clocks on walls; the
// trainer runs it for a run, the benchmark for its timing.
#include "comm/communicator.h"
#include "core/pipeline.h"
#include "train/model_runner.h"
#include "train/oracle.h"

#include <memory>
#include <string>
#include <vector>

namespace steepest {

struct StepReport {
    StepReading reading;
    double seconds = 0;
    double optimizer_seconds = 0;  // NaN where the host cannot take it
    bool ok() const { return reading.ok != 0; }
};

class Stepper {
public:
    // Opens the training data and plans everything; nothing is allocated.
    Stepper(const RunConfig& config, Communicator& comm);
    Stepper(const Stepper&) = delete;
    Stepper& operator=(const Stepper&) = delete;

    void allocate(Device device);

    // The gradient of `step` (from 1), estimate, update. Adds the tokens to `hash`.
    StepReport step(std::int64_t step, TokenStreamHash& hash);
    // After a bad step: runs its forward and backward pass again from the unchanged weights, every op checked, and
    // names the first tensor that is not finite.
    std::string find_culprit(std::int64_t step);

    ModelRunner& runner() { return runner_; }
    const Dataset& training_data() const { return data_; }
    Optimizer& optimizer() { return *optimizer_; }
    Oracle& oracle() { return *oracle_; }
    // State of optimizer and oracle, for checkpoints.
    std::vector<NamedTensor> named_state() const;
    std::int64_t state_bytes() const;
    // Floating-point operations a step: of all gradients, and of the optimizer.
    double model_flops() const;
    double optimizer_flops() const { return static_cast<double>(optimizer_->flops_per_step()); }

private:
    ModelRunner runner_;
    Dataset data_;
    Loader loader_;
    StepScalars scalars_;
    std::unique_ptr<Recorder> recorder_;
    std::unique_ptr<Optimizer> optimizer_;
    std::unique_ptr<Oracle> oracle_;
};

}  // namespace steepest
