#pragma once
// The parameters of a run: masters, compute copies and gradients, planned together, named by the problem's table.
#include "core/memory.h"
#include "core/parameter.h"

#include <cstdint>
#include <span>
#include <vector>

namespace steepest {

// The first tensor whose bytes the named `seed` and the table decide: equal on every backend and rank count, because it
// is computed on the host.
std::vector<float> initial_values(const ParamSpec& spec, std::uint64_t seed);

class ParameterStore {
public:
    // `compute` is the dtype of the copies of matrices (problem.h). `specs` must outlive the store.
    ParameterStore(std::span<const ParamSpec> specs, DType compute);
    ParameterStore(const ParameterStore&) = delete;
    ParameterStore& operator=(const ParameterStore&) = delete;

    void plan(Layout& weights, Layout& gradients);
    // After the layouts have their memory.
    void bind(Device device);
    void initialize(std::uint64_t seed);
    // Copies follow the masters; after masters were written by anything but the optimizer.
    void refresh_copies();

    std::span<const ParamSpec> specs() const { return specs_; }
    std::span<const Parameter> parameters() const { return parameters_; }
    const TensorList& masters() const { return masters_; }
    const TensorList& copies() const { return copies_; }
    const TensorList& gradients() const { return gradients_; }
    // Of the masters' bytes, in table order.
    std::uint64_t hash() const;
    std::int64_t count() const;

private:
    std::span<const ParamSpec> specs_;
    DType compute_;
    Device device_{};
    TensorList masters_, copies_, gradients_;
    std::vector<Parameter> parameters_;
};

}  // namespace steepest
