#pragma once
// The optimizer: groups of parameters, each with a pipeline of stages (group.h), run for all groups in two phases:
// first every direction, then, with what the step as a whole would do known, every update.
#include "core/memory.h"
#include "core/parameter.h"
#include "core/scalars.h"
#include "optim/config.h"
#include "optim/diagnostics.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace steepest {

// The gradients of one step, all f32 on the device, one tensor a parameter in table order.
struct StepGradients {
    ConstTensor scale;           // factor of global-norm clipping for Parameter::gradient
    TensorList previous;         // the second gradients, see OracleNeeds; empty unless asked for
    ConstTensor previous_scale;  // their own clipping factor; 0 at the first step
    ConstTensor ok;              // 0: a bad step, change nothing
    ConstTensor loss;            // the mean loss of the batch
    // In steps that measure, where options asked for it: the part of the gradients that is of the first micro-batch.
    TensorList first_micro_batch = {};
};

struct OptimizerOptions {
    std::uint64_t seed = 1;  // of randomised stages
    DiagnosticsOptions diagnostics = {};
};

// One line of the table that --dry-run prints.
struct AssignmentRow {
    std::string parameter, shape, group, formula;  // formula: e.g. "dual_ema -> spectral -> 0.2*sqrt(max(rows, cols))"
    double learning_rate, weight_decay, scale;
    std::int64_t state_bytes;
};

class Optimizer {
public:
    // Assigns every parameter to its group. Throws InputError that names the parameter for an overlap, an orphan, an
    // empty group or a stage that has no meaning for a parameter's shape.
    Optimizer(const OptimizerConfig& config, std::span<const ParamSpec> specs, const OptimizerOptions& options = {});
    ~Optimizer();

    OracleNeeds needs() const;
    std::vector<AssignmentRow> assignments() const;
    std::int64_t flops_per_step() const;

    // Plans state (kept in checkpoints, zero at the start) and scratch (may hold anything between steps).
    void plan(Layout& state, Layout& scratch, StepScalars& scalars);
    // After everything planned has its addresses. The spans must outlive the optimizer.
    void bind(Device device, std::span<const Parameter> parameters, const StepGradients& gradients);

    // Sets this step's scalars on the host; the caller uploads them. Steps count from 1.
    void begin_step(std::int64_t step, std::int64_t total_steps);
    // Whether a step measures what diagnoses() says.
    bool measures(std::int64_t step) const;
    // Of the step last begun, which measures, once it was run; waits for the device. Means nothing after a bad step.
    std::vector<GroupDiagnosis> diagnoses() const;
    // Steps of one variant run the same ops, see Recorder. From 0.
    int variant(std::int64_t step) const;
    // A step in two phases, with room between them for what must be done while the weights are still the old ones:
    // estimates and directions, over the gradients; then every update.
    void estimate();
    void update();

    // Which parameters, in table order, have an average of their own, to be evaluated and exported in their place.
    std::vector<bool> averaged() const;
    // Writes those averages to `to`, one tensor a parameter in table order, f32 or bf16; others are not looked at. Only
    // after a step or a resume.
    void write_averages(std::span<const Tensor> to);

    struct GroupRate {
        std::string group;
        double learning_rate;
    };
    // Learning rates of the step last begun, schedule included.
    std::vector<GroupRate> learning_rates() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace steepest
