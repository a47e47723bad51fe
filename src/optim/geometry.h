#pragma once
// Geometry: the direction D that maximises <U, D> for an estimate U over the unit ball of a norm, so that a step along
// -D is steepest descent under that norm. One object a parameter group, chosen by "geometry" in a config; plugins lie
// in geometry/, a file each.
#include "optim/binding.h"

namespace steepest {

class Geometry {
public:
    virtual ~Geometry() = default;
    // True where the direction has a meaning for matrices only; other parameters are refused by name.
    virtual bool needs_matrices() const { return false; }
    // Asks the binding for scratch. Once.
    virtual void prepare(Binding&) {}
    // Sets this step's scalars. Steps count from 1.
    virtual void begin_step(std::int64_t) {}
    // True where direct() can write <U, D> of each block to binding.dual.
    virtual bool has_dual() const { return true; }
    // binding.gradients: estimates in, directions out; binding.dual, where given.
    virtual void direct(const Binding& binding) = 0;
    // Of matrix products in one call of direct(), for tensors of these shapes; passes over memory are not counted.
    virtual std::int64_t flops(const std::vector<Shape>&) const { return 0; }
};

}  // namespace steepest
