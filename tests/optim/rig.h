#pragma once
// An optimizer with everything around it that the trainer would give it: weights, gradients, state, scalars, on one
// device, fed by hand.
#include "core/config.h"
#include "optim/optimizer.h"
#include "tests/harness.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace steepest::testing {

inline OptimizerConfig optimizer_from(const std::string& json) {
    return read_config<OptimizerConfig>(parse_json(json, "test"), "test");
}

// One group of everything, at a constant learning rate: `rest` holds the estimator and whatever else is not default.
inline OptimizerConfig one_group(double learning_rate, const std::string& rest) {
    return optimizer_from(
        R"({"schedule": {"type": "constant"}, "groups": {"all": {"match": "rest", "learning_rate": )" +
        std::to_string(learning_rate) + ", " + rest + "}}}");
}

inline ParamSpec matrix(const std::string& name, std::int64_t rows, std::int64_t cols, int row_blocks = 1) {
    return {.name = name, .shape = {rows, cols}, .role = Role::matrix, .init = {}, .row_blocks = row_blocks};
}
inline ParamSpec vector(const std::string& name, std::int64_t size, Role role = Role::bias) {
    return {.name = name, .shape = {size}, .role = role, .init = {}};
}

class Rig {
public:
    explicit Rig(const OptimizerConfig& config, std::vector<ParamSpec> specs, Device device = the_device(),
                 DType copies = DType::f32, const OptimizerOptions& options = {})
        : optimizer(config, specs, options), specs_(std::move(specs)), device_(device), slots_(specs_.size()) {
        Layout layout, state, scratch;
        for (std::size_t i = 0; i < specs_.size(); ++i) {
            layout.add("weight", &slots_[i].master, DType::f32, specs_[i].shape);
            layout.add("gradient", &slots_[i].gradient, DType::f32, specs_[i].shape);
            layout.add("previous", &slots_[i].previous, DType::f32, specs_[i].shape);
            layout.add("first", &slots_[i].first, DType::f32, specs_[i].shape);
            if (has_copy(i, copies)) layout.add("copy", &slots_[i].copy, copies, specs_[i].shape);
        }
        for (Tensor* t : {&scale_, &previous_scale_, &ok_, &loss_}) layout.add("number", t, DType::f32, {1});
        optimizer.plan(state, scratch, scalars_);
        memory_ = layout.allocate(device), state_ = state.allocate(device), scratch_ = scratch.allocate(device);
        entries = state.entries();
        scalars_.allocate(device);
        fill_zero(device, memory_.data(), memory_.bytes());
        if (state_.bytes()) fill_zero(device, state_.data(), state_.bytes());
        // Scratch may hold anything.
        const std::vector<std::byte> anything(scratch_.bytes(), std::byte{0xFF});
        if (scratch_.bytes()) copy_to_device(device, scratch_.data(), anything.data(), scratch_.bytes());

        StepGradients gradients{
            .scale = scale_, .previous = {}, .previous_scale = previous_scale_, .ok = ok_, .loss = loss_};
        for (std::size_t i = 0; i < specs_.size(); ++i) {
            Slot& s = slots_[i];
            if (!has_copy(i, copies)) s.copy = s.master;
            parameters_.push_back({&specs_[i], s.master, s.copy, s.gradient});
            if (optimizer.needs().second_gradient()) gradients.previous.push_back(s.previous);
            if (options.diagnostics.sees_noise()) gradients.first_micro_batch.push_back(s.first);
        }
        optimizer.bind(device, parameters_, gradients);
    }

    void set_weights(std::size_t i, const std::vector<double>& values) {
        write(slots_[i].master, values);
        if (slots_[i].copy.dtype == DType::f32) write(slots_[i].copy, values);
    }
    void set_gradient(std::size_t i, const std::vector<double>& values) { write(slots_[i].gradient, values); }
    void set_first(std::size_t i, const std::vector<double>& values) { write(slots_[i].first, values); }
    void set_previous(std::size_t i, const std::vector<double>& values) { write(slots_[i].previous, values); }

    // One step on the gradients that were set, with these numbers from the (imagined) clipping.
    void step(float scale = 1, float previous_scale = 1, float ok = 1, float loss = 1) {
        write(scale_, {scale}), write(previous_scale_, {previous_scale}), write(ok_, {ok}), write(loss_, {loss});
        optimizer.begin_step(++count, total);
        scalars_.upload();
        optimizer.estimate();
        optimizer.update();
    }

    std::vector<float> weights(std::size_t i) const { return read<float>(slots_[i].master); }
    // As of the last step, after geometry and before scaling.
    std::vector<float> direction(std::size_t i) const { return read<float>(slots_[i].gradient); }
    // What is evaluated: the weights, or their averages, which this writes over the directions.
    std::vector<float> evaluated(std::size_t i) {
        if (!optimizer.averaged()[i]) return weights(i);
        TensorList to;
        for (const Slot& s : slots_) to.push_back(s.gradient);
        optimizer.write_averages(to);
        return direction(i);
    }
    Tensor copy(std::size_t i) const { return slots_[i].copy; }
    std::vector<std::byte> state() const {
        std::vector<std::byte> bytes(state_.bytes());
        if (state_.bytes()) copy_to_host(device_, bytes.data(), state_.data(), state_.bytes());
        return bytes;
    }
    void set_state(const std::vector<std::byte>& bytes) {
        if (!bytes.empty()) copy_to_device(device_, state_.data(), bytes.data(), state_.bytes());
    }
    const std::vector<ParamSpec>& specs() const { return specs_; }

    Optimizer optimizer;
    std::int64_t count = 0, total = 100;
    std::vector<Layout::Entry> entries;  // of the state

private:
    struct Slot {
        Tensor master, gradient, previous, first, copy;
    };

    bool has_copy(std::size_t i, DType copies) const { return copies == DType::bf16 && specs_[i].shape.rank() == 2; }
    void write(const Tensor& t, const std::vector<double>& values) {
        const std::vector<float> floats(values.begin(), values.end());
        ASSERT_EQ(static_cast<std::int64_t>(floats.size()), t.count());
        copy_to_device(device_, t.data, floats.data(), t.bytes());
    }
    template <class T>
    std::vector<T> read(const Tensor& t) const {
        std::vector<T> values(t.count());
        copy_to_host(device_, values.data(), t.data, t.bytes());
        return values;
    }

    std::vector<ParamSpec> specs_;
    Device device_;
    std::vector<Slot> slots_;
    std::vector<Parameter> parameters_;
    Tensor scale_, previous_scale_, ok_, loss_;
    StepScalars scalars_;
    Buffer memory_, state_, scratch_;
};

}  // namespace steepest::testing
