#pragma once
// Binding: the memory one stage of one group works on. At construction a stage asks for state, scratch and scalars;
// once memory has its addresses, the group's tensors are here as lists, so that a stage issues one op for all of them.
#include "core/memory.h"
#include "core/parameter.h"
#include "core/random.h"
#include "core/scalars.h"
#include "ops/axis.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
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

// Numbers of StepScalars that lie one after the other.
class Scalars {
public:
    void set(std::size_t i, double value) { block_->set(slot_ + static_cast<int>(i), value); }
    ConstTensor tensor() const { return {(*block_)[slot_].data, DType::f32, Shape{count_}}; }

private:
    friend class Binding;
    StepScalars* block_ = nullptr;
    int slot_ = -1;
    std::int64_t count_ = 0;
};

class Binding {
public:
    // `name` is the group's, `stage` the part it plays: "estimator", "geometry", "update".
    Binding(std::string name, std::string stage, std::span<const Member> members);

    // --- What a stage asks for at construction. Everything pointed to must not move.
    // Kept from step to step and in checkpoints, zero at the start: one f32 tensor a parameter, named
    // <parameter>/<stage>/<tensor>; `list` gets the blocks.
    void state(std::string tensor, TensorList* list);
    // The same with another shape a block: that of a parameter's state stacks those of its blocks.
    void state(std::string tensor, TensorList* list, std::function<Shape(const Shape& block)> shape);
    // One f32 a row of each parameter.
    void row_state(std::string tensor, TensorList* list) {
        state(std::move(tensor), list, [](const Shape& block) { return Shape{block.rows(), 1}; });
    }
    // One f32 for all parameters, named <name>/<stage>/<tensor>.
    void number_state(std::string tensor, Tensor* slot);
    // Free to hold anything between runs of the stage.
    void scratch(std::string tensor, Tensor* slot, DType dtype, Shape shape);
    // The same, an f32 tensor of each shape.
    void scratch(std::string tensor, std::vector<Shape> shapes, TensorList* list);
    // The same, an f32 tensor a block with a value for each of its rows, or columns.
    void axis_scratch(std::string tensor, Axis axis, TensorList* list);
    void scalar(std::string name, Scalar* scalar);
    void scalars(std::string name, std::int64_t count, Scalars* scalars);

    // One shape a block.
    const std::vector<Shape>& shapes() const { return shapes_; }
    std::int64_t state_bytes(const Member& member) const;
    // Of this stage alone: the key of a stream of random numbers.
    Random::Key stream(std::string_view purpose) const;

    // --- What the optimizer does with it.
    void plan(Layout& state, Layout& scratch, StepScalars& scalars);
    void bind(Device device);

    // --- What a stage finds when it runs.
    Device device{};
    TensorList gradients;                        // the blocks' gradients; the stage writes its result over them
    TensorList previous;                         // the second gradients, see OracleNeeds; empty unless asked for
    ConstTensor gradient_scale, previous_scale;  // factors of global-norm clipping
    ConstTensor ok;                              // the gate: 0 leaves state and weights as they are
    std::uint64_t seed = 1;                      // of what is random
    Tensor dual;  // (n) f32, for a geometry: where it writes <estimate, direction> of each block; mostly not asked for

private:
    struct State {
        std::string tensor;
        TensorList* list;
        std::function<Shape(const Shape&)> block;  // empty: the block's own
        std::deque<Tensor> slots;                  // one a parameter

        Shape shape(const Member& member) const;
    };
    struct Scratch {
        std::string tensor;
        Tensor* slot;
        DType dtype;
        Shape shape;
    };
    struct ListScratch {
        TensorList* list;
        std::vector<Shape> shapes;
        Tensor whole;
    };
    struct ScalarRequest {
        std::string name;
        Scalar* scalar;
    };
    struct ScalarsRequest {
        std::string name;
        std::int64_t count;
        Scalars* scalars;
    };

    std::string name_, stage_;
    std::span<const Member> members_;
    std::vector<Shape> shapes_;
    std::deque<State> states_;
    std::vector<std::pair<std::string, Tensor*>> numbers_;
    std::vector<Scratch> scratch_;
    std::deque<ListScratch> list_scratch_;
    std::vector<ScalarRequest> scalars_;
    std::vector<ScalarsRequest> scalar_blocks_;
};

}  // namespace steepest
