#pragma once
// Binding: the memory one stage of one group works on. At construction a stage asks for state, scratch and scalars;
// once memory has its addresses, the group's tensors are here as lists, so that a stage issues one op for all of them.
#include "core/memory.h"
#include "core/parameter.h"
#include "core/scalars.h"

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace steepest {

// One number of StepScalars: set on the host, read by ops after the upload.
class Scalar {
public:
    void set(double value) { block_->set(slot_, value); }
    ConstTensor tensor() const { return (*block_)[slot_]; }

private:
    friend class Binding;
    StepScalars* block_ = nullptr;
    int slot_ = -1;
};

// A parameter of the group, cut into equal row blocks that every stage treats as tensors of their own.
struct Member {
    const ParamSpec* spec;
    int index;  // in the parameter table
    int blocks = 1;

    Shape block_shape() const;
    // The blocks of a tensor that has the parameter's shape.
    void append_blocks(TensorList& list, Tensor whole) const;
};

class Binding {
public:
    // `name` is the group's, `stage` the part it plays: "estimator", "geometry", "update".
    Binding(std::string name, std::string stage, std::span<const Member> members);

    // --- What a stage asks for at construction. Everything pointed to must not move.
    // Kept from step to step and in checkpoints, zero at the start: one f32 tensor a parameter, named
    // <parameter>/<stage>/<tensor>; `list` gets the blocks.
    void state(std::string tensor, TensorList* list);
    // Free to hold anything between runs of the stage.
    void scratch(std::string tensor, Tensor* slot, DType dtype, Shape shape);
    void scalar(std::string name, Scalar* scalar);

    // One shape a block.
    const std::vector<Shape>& shapes() const { return shapes_; }
    std::int64_t state_bytes(const ParamSpec& spec) const;

    // --- What the optimizer does with it.
    void plan(Layout& state, Layout& scratch, StepScalars& scalars);
    void bind(Device device);

    // --- What a stage finds when it runs.
    Device device{};
    TensorList gradients;                        // the blocks' gradients; the stage writes its result over them
    TensorList previous;                         // gradients at the previous weights; empty unless asked for
    ConstTensor gradient_scale, previous_scale;  // factors of global-norm clipping
    ConstTensor ok;                              // the gate: 0 leaves state and weights as they are

private:
    struct State {
        std::string tensor;
        TensorList* list;
        std::deque<Tensor> slots;  // one a parameter
    };
    struct Scratch {
        std::string tensor;
        Tensor* slot;
        DType dtype;
        Shape shape;
    };
    struct ScalarRequest {
        std::string name;
        Scalar* scalar;
    };

    std::string name_, stage_;
    std::span<const Member> members_;
    std::vector<Shape> shapes_;
    std::deque<State> states_;
    std::vector<Scratch> scratch_;
    std::vector<ScalarRequest> scalars_;
};

}  // namespace steepest
