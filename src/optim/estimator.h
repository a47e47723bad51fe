#pragma once
// Estimator: what the direction is taken of. It turns the step's gradient into an estimate and owns the state that
// takes. One object a parameter group, chosen by "estimator" in a config; plugins lie in estimator/, a file each.
#include "optim/binding.h"
#include "optim/oracle_config.h"

#include <optional>

namespace steepest {

// What the optimizer asks of the trainer besides the gradient.
struct OracleNeeds {
    // The gradient of the same batch at the previous step's weights, over all micro-batches.
    bool previous_weights_gradient = false;
    // The gradient of the previous step's batch at the current weights, over all micro-batches.
    bool previous_batch_gradient = false;

    // Of the whole optimizer: gradients from losses alone, or of cut gradients of single sequences.
    std::optional<ZerothOrderConfig> zeroth_order = {};
    std::optional<PrivacyConfig> privacy = {};

    bool second_gradient() const { return previous_weights_gradient || previous_batch_gradient; }
};

class Estimator {
public:
    virtual ~Estimator() = default;
    virtual OracleNeeds needs() const { return {}; }
    // True where it has a meaning for matrices only; other parameters are refused by name.
    virtual bool needs_matrices() const { return false; }
    // Of matrix products in one call of estimate(), for tensors of these shapes; passes over memory are not counted.
    virtual std::int64_t flops(const std::vector<Shape>&) const { return 0; }
    // Asks the binding for state, scratch and scalars. Once.
    virtual void prepare(Binding& binding) = 0;
    // Sets this step's scalars. Steps count from 1.
    virtual void begin_step(std::int64_t step) = 0;
    // binding.gradients: raw gradients in, estimates out. With binding.ok = 0 the state stays as it was.
    virtual void estimate(const Binding& binding) = 0;
    // Kinds of steps, numbered from 0, where not all run the same ops.
    virtual int variants() const { return 1; }
    virtual int variant(std::int64_t) const { return 0; }
    // The averaged gradients of the last estimate, where the estimate is something else; else nullptr.
    virtual const TensorList* average() const { return nullptr; }
};

}  // namespace steepest
