#include "optim/binding.h"

namespace steepest {

Shape Member::block_shape() const { return blocks == 1 ? spec->shape : Shape{spec->shape[0] / blocks, spec->shape[1]}; }

void Member::append_blocks(TensorList& list, Tensor whole) const {
    if (blocks == 1) return list.push_back(whole);
    const std::int64_t rows = whole.shape.rows() / blocks;
    for (int b = 0; b < blocks; ++b) list.push_back(whole.rows(b * rows, rows));
}

Binding::Binding(std::string name, std::string stage, std::span<const Member> members)
    : name_(std::move(name)), stage_(std::move(stage)), members_(members) {
    for (const Member& m : members_) shapes_.insert(shapes_.end(), m.blocks, m.block_shape());
}

void Binding::state(std::string tensor, TensorList* list) {
    states_.push_back({std::move(tensor), list, false, std::deque<Tensor>(members_.size())});
}

void Binding::row_state(std::string tensor, TensorList* list) {
    states_.push_back({std::move(tensor), list, true, std::deque<Tensor>(members_.size())});
}

void Binding::number_state(std::string tensor, Tensor* slot) { numbers_.emplace_back(std::move(tensor), slot); }

void Binding::scratch(std::string tensor, Tensor* slot, DType dtype, Shape shape) {
    scratch_.push_back({std::move(tensor), slot, dtype, shape});
}

void Binding::axis_scratch(std::string tensor, Axis axis, TensorList* list) {
    std::int64_t count = 0;
    for (const Shape& shape : shapes_) count += along(shape, axis);
    axis_scratch_.push_back({list, axis, {}});
    scratch(std::move(tensor), &axis_scratch_.back().whole, DType::f32, {count});
}

void Binding::scalar(std::string name, Scalar* scalar) { scalars_.push_back({std::move(name), scalar}); }

void Binding::scalars(std::string name, std::int64_t count, Scalars* scalars) {
    scalar_blocks_.push_back({std::move(name), count, scalars});
}

std::int64_t Binding::state_bytes(const ParamSpec& spec) const {
    std::int64_t bytes = 0;
    for (const State& s : states_) bytes += s.shape(spec).count() * size_of(DType::f32);
    return bytes;
}

void Binding::plan(Layout& state, Layout& scratch, StepScalars& scalars) {
    for (State& s : states_)
        for (std::size_t i = 0; i < members_.size(); ++i)
            state.add(members_[i].spec->name + "/" + stage_ + "/" + s.tensor, &s.slots[i], DType::f32,
                      s.shape(*members_[i].spec));
    for (const auto& [tensor, slot] : numbers_) state.add(name_ + "/" + stage_ + "/" + tensor, slot, DType::f32, {1});
    for (const Scratch& s : scratch_) scratch.add(name_ + "/" + stage_ + "/" + s.tensor, s.slot, s.dtype, s.shape);
    for (const ScalarRequest& s : scalars_) {
        s.scalar->block_ = &scalars;
        s.scalar->slot_ = scalars.add(name_ + "/" + stage_ + "/" + s.name);
    }
    for (const ScalarsRequest& s : scalar_blocks_) {
        s.scalars->block_ = &scalars, s.scalars->count_ = s.count;
        for (std::int64_t i = 0; i < s.count; ++i) {
            const int slot = scalars.add(name_ + "/" + stage_ + "/" + s.name + "/" + std::to_string(i));
            if (i == 0) s.scalars->slot_ = slot;
        }
    }
}

void Binding::bind(Device d) {
    device = d;
    for (State& s : states_) {
        s.list->clear();
        for (std::size_t i = 0; i < members_.size(); ++i) members_[i].append_blocks(*s.list, s.slots[i]);
    }
    for (const AxisScratch& s : axis_scratch_) {
        s.list->clear();
        float* at = s.whole.as<float>();
        for (const Shape& shape : shapes_) {
            s.list->emplace_back(at, DType::f32, Shape{along(shape, s.axis)});
            at += along(shape, s.axis);
        }
    }
}

}  // namespace steepest
