#pragma once
// Transform: what is done to a gradient before the estimator ("gradient"), to an estimate before the geometry sees it
// ("precondition"), or to a direction after the geometry has found it ("refinement"). One object a parameter group;
// plugins lie in transform/, a file each.
#include "optim/binding.h"

namespace steepest {

class Transform {
public:
    virtual ~Transform() = default;
    // True where it has a meaning for matrices only; other parameters are refused by name.
    virtual bool needs_matrices() const { return false; }
    // True where it changes nothing, so that inner products of estimate and direction stay what the geometry says.
    virtual bool is_identity() const { return false; }
    // Of matrix products in one call of apply(), for tensors of these shapes; passes over memory are not counted.
    virtual std::int64_t flops(const std::vector<Shape>&) const { return 0; }
    // Asks the binding for state, scratch and scalars. Once.
    virtual void prepare(Binding&) {}
    // Sets this step's scalars. Steps count from 1.
    virtual void begin_step(std::int64_t) {}
    // binding.gradients: in place. With binding.ok = 0 the state stays as it was.
    virtual void apply(const Binding& binding) = 0;
};

}  // namespace steepest
