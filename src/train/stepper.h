#pragma once
// Stepper: one optimisation step, in the order the data flows. It knows nothing of files, logs or clocks on walls; the
// trainer runs it for a run, the benchmark for its timing.
#include "comm/communicator.h"
#include "core/pipeline.h"
#include "train/model_runner.h"
#include "train/oracle.h"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace steepest {

struct StepReport {
    StepReading reading;
    std::vector<Optimizer::GroupRate> learning_rates;
    double seconds = 0;            // since it was started or the step before it was done, whichever was later
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

    // A step (from 1) is the gradient, estimate, update. start() does the host's part, adds the tokens to `hash`, and
    // enqueues the rest; at most most_under_way() may be started and not finished. finish() waits for the oldest one.
    // If that one is bad, it and those behind it have changed nothing, and those behind it are to be started again.
    void start(std::int64_t step, TokenStreamHash& hash);
    StepReport finish();
    StepReport step(std::int64_t step, TokenStreamHash& hash) {
        start(step, hash);
        return finish();
    }
    // 1 where a step is done when start() returns; 2 where the host prepares a step while the device is at another.
    int most_under_way() const { return recorder_->immediate() ? 1 : 2; }
    // After a bad step: runs its forward and backward pass again from the unchanged weights, every op checked, and
    // names the first tensor that is not finite.
    std::string find_culprit(std::int64_t step);

    ModelRunner& runner() { return runner_; }
    const TrainingData& training_data() const { return *data_; }
    Optimizer& optimizer() { return *optimizer_; }
    Oracle& oracle() { return *oracle_; }
    // What is evaluated and sampled from after `steps` steps: the copies, or averages of them where the optimizer keeps
    // such. Averages lie in the gradients' memory: valid until the next step or the next call of these two.
    TensorList evaluation_weights(std::int64_t steps);
    // The same as masters by name, for checkpoints.
    std::vector<NamedTensor> named_weights(std::int64_t steps);
    // State of optimizer and oracle, for checkpoints; also the masters that are not exported themselves.
    std::vector<NamedTensor> named_state() const;
    std::int64_t state_bytes() const;
    // Floating-point operations a step: of all gradients, and of the optimizer.
    double model_flops() const;
    // Whether there is more to say of a step, which must then be the last one started when it is asked for.
    bool measures(std::int64_t step) const { return optimizer_->measures(step); }
    std::vector<GroupDiagnosis> diagnoses() const { return optimizer_->diagnoses(); }
    double optimizer_flops() const { return static_cast<double>(optimizer_->flops_per_step()); }

private:
    struct UnderWay {
        std::int64_t step;
        double started, optimizer_seconds;
        std::vector<Optimizer::GroupRate> learning_rates;
    };
    // `list` with averages, of the list's dtypes, in place of what has them.
    TensorList with_averages(TensorList list, std::int64_t steps);

    ModelRunner runner_;
    std::unique_ptr<TrainingData> data_;
    StepScalars scalars_;
    std::unique_ptr<Recorder> recorder_;
    std::unique_ptr<Readback> readback_;
    std::unique_ptr<Optimizer> optimizer_;
    std::unique_ptr<Oracle> oracle_;
    std::deque<UnderWay> under_way_;
    double last_done_ = 0;
};

}  // namespace steepest
