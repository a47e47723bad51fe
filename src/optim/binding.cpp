#include "optim/binding.h"

namespace steepest {

namespace {

// Floats that a tensor of a list takes: each begins at a multiple of 64 bytes, as single ones do.
std::int64_t padded(const Shape& shape) { return (shape.count() + 15) / 16 * 16; }

}  // namespace

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

void Binding::state(std::string tensor, TensorList* list) { state(std::move(tensor), list, {}); }

void Binding::state(std::string tensor, TensorList* list, std::function<Shape(const Shape&)> shape) {
    states_.push_back({std::move(tensor), list, std::move(shape), std::deque<Tensor>(members_.size())});
}

Shape Binding::State::shape(const Member& member) const {
    if (!block) return member.spec->shape;
    const Shape one = block(member.block_shape());
    return {member.blocks * one[0], one[1]};
}

void Binding::number_state(std::string tensor, Tensor* slot) { numbers_.emplace_back(std::move(tensor), slot); }

void Binding::scratch(std::string tensor, Tensor* slot, DType dtype, Shape shape) {
    scratch_.push_back({std::move(tensor), slot, dtype, shape});
}

void Binding::scratch(std::string tensor, std::vector<Shape> shapes, TensorList* list) {
    std::int64_t count = 0;
    for (const Shape& shape : shapes) count += padded(shape);
    list_scratch_.push_back({list, std::move(shapes), {}});
    scratch(std::move(tensor), &list_scratch_.back().whole, DType::f32, {count});
}

void Binding::axis_scratch(std::string tensor, Axis axis, TensorList* list) {
    std::vector<Shape> shapes;
    for (const Shape& shape : shapes_) shapes.push_back({along(shape, axis)});
    scratch(std::move(tensor), std::move(shapes), list);
}

void Binding::scalar(std::string name, Scalar* scalar) { scalars_.push_back({std::move(name), scalar}); }

void Binding::scalars(std::string name, std::int64_t count, Scalars* scalars) {
    scalar_blocks_.push_back({std::move(name), count, scalars});
}

Random::Key Binding::stream(std::string_view purpose) const {
    return Random(seed, name_ + "/" + stage_ + "/" + std::string(purpose)).key();
}

std::int64_t Binding::state_bytes(const Member& member) const {
    std::int64_t bytes = 0;
    for (const State& s : states_) bytes += s.shape(member).count() * size_of(DType::f32);
    return bytes;
}

void Binding::plan(Layout& state, Layout& scratch, StepScalars& scalars) {
    for (State& s : states_)
        for (std::size_t i = 0; i < members_.size(); ++i)
            if (const Shape shape = s.shape(members_[i]); shape.count() > 0)
                state.add(members_[i].spec->name + "/" + stage_ + "/" + s.tensor, &s.slots[i], DType::f32, shape);
            else
                s.slots[i] = Tensor(nullptr, DType::f32, shape);
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
    for (const ListScratch& s : list_scratch_) {
        s.list->clear();
        float* at = s.whole.as<float>();
        for (const Shape& shape : s.shapes) {
            s.list->emplace_back(at, DType::f32, shape);
            at += padded(shape);
        }
    }
}

}  // namespace steepest
