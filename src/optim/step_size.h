#pragma once
// StepSize: a factor of every update of a step, of all groups alike, that depends on what the step would do. One object
// an optimizer, chosen by "step_size" in a config; plugins lie in step_size/, a file each.
#include "optim/binding.h"

namespace steepest {

// Inner products over all parameters, (1) f32 each: G gradients, clipped, M averaged ones, W weights.
struct StepProducts {
    ConstTensor loss;             // of the batch
    ConstTensor gradient_weight;  // <G, W>, where asked for
    ConstTensor estimate_weight;  // <M, W>, where asked for
    ConstTensor decrease;         // <M, planned step>, all factors included, learning rates too if they count
};

class StepSize {
public:
    virtual ~StepSize() = default;
    // False: there is no factor, and nothing is computed for it.
    virtual bool decides() const { return true; }
    virtual bool needs_weight_products() const { return false; }
    virtual bool counts_learning_rates() const { return true; }
    // Asks the binding, which has no parameters, for state, scratch and scalars. Once.
    virtual void prepare(Binding&) {}
    virtual void begin_step(std::int64_t) {}
    // Writes the factor (1). With binding.ok = 0 the state stays as it was.
    virtual void decide(const Binding&, const StepProducts&, Tensor /*factor*/) {}
};

}  // namespace steepest
