#include "optim/binding.h"

namespace steepest {

Shape Member::block_shape() const { return blocks == 1 ? spec->shape : Shape{spec->shape[0] / blocks, spec->shape[1]}; }

void Member::append_blocks(TensorList& list, Tensor whole) const {
    if (blocks == 1) return list.push_back(whole);
    const std::int64_t rows = spec->shape[0] / blocks;
    for (int b = 0; b < blocks; ++b) list.push_back(whole.rows(b * rows, rows));
}

Binding::Binding(std::string name, std::string stage, std::span<const Member> members)
    : name_(std::move(name)), stage_(std::move(stage)), members_(members) {
    for (const Member& m : members_) shapes_.insert(shapes_.end(), m.blocks, m.block_shape());
}

void Binding::state(std::string tensor, TensorList* list) {
    states_.push_back({std::move(tensor), list, std::deque<Tensor>(members_.size())});
}

void Binding::scratch(std::string tensor, Tensor* slot, DType dtype, Shape shape) {
    scratch_.push_back({std::move(tensor), slot, dtype, shape});
}

void Binding::scalar(std::string name, Scalar* scalar) { scalars_.push_back({std::move(name), scalar}); }

std::int64_t Binding::state_bytes(const ParamSpec& spec) const {
    return static_cast<std::int64_t>(states_.size()) * spec.shape.count() * size_of(DType::f32);
}

void Binding::plan(Layout& state, Layout& scratch, StepScalars& scalars) {
    for (State& s : states_)
        for (std::size_t i = 0; i < members_.size(); ++i)
            state.add(members_[i].spec->name + "/" + stage_ + "/" + s.tensor, &s.slots[i], DType::f32,
                      members_[i].spec->shape);
    for (const Scratch& s : scratch_) scratch.add(name_ + "/" + stage_ + "/" + s.tensor, s.slot, s.dtype, s.shape);
    for (const ScalarRequest& s : scalars_) {
        s.scalar->block_ = &scalars;
        s.scalar->slot_ = scalars.add(name_ + "/" + stage_ + "/" + s.name);
    }
}

void Binding::bind(Device d) {
    device = d;
    for (State& s : states_) {
        s.list->clear();
        for (std::size_t i = 0; i < members_.size(); ++i) members_[i].append_blocks(*s.list, s.slots[i]);
    }
}

}  // namespace steepest
