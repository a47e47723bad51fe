#include "train/parameters.h"

#include "core/hash.h"
#include "core/random.h"
#include "model/problem.h"
#include "ops/elementwise.h"

#include <algorithm>
#include <thread>

namespace steepest {

std::vector<float> initial_values(const ParamSpec& spec, std::uint64_t seed) {
    std::vector<float> values(spec.shape.count(), spec.init.mean);
    const std::int64_t count = spec.shape.count() - spec.padding_rows * spec.shape.cols();
    std::fill(values.begin() + count, values.end(), 0.0f);
    if (spec.init.deviation == 0) return values;

    // Threads of our own: this is the host's work whatever the device, and no backend is at hand here.
    const Random random(seed, "init/" + spec.name);
    const auto fill = [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            values[i] = static_cast<float>(spec.init.mean + spec.init.deviation * random.normal(i));
    };
    const std::int64_t workers = count < (1 << 16) ? 1 : std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::jthread> threads;
    for (std::int64_t k = 1; k < workers; ++k)
        threads.emplace_back(fill, count * k / workers, count * (k + 1) / workers);
    fill(0, count / workers);
    return values;
}

ParameterStore::ParameterStore(std::span<const ParamSpec> specs, DType compute)
    : specs_(specs), compute_(compute), masters_(specs.size()), copies_(specs.size()), gradients_(specs.size()) {}

void ParameterStore::plan(Layout& weights, Layout& gradients) {
    for (std::size_t i = 0; i < specs_.size(); ++i) {
        const ParamSpec& spec = specs_[i];
        weights.add(spec.name, &masters_[i], DType::f32, spec.shape);
        gradients.add(spec.name + "/gradient", &gradients_[i], DType::f32, spec.shape);
        if (copy_dtype(spec, compute_) != DType::f32)
            weights.add(spec.name + "/copy", &copies_[i], copy_dtype(spec, compute_), spec.shape);
    }
}

void ParameterStore::bind(Device device) {
    device_ = device;
    for (std::size_t i = 0; i < specs_.size(); ++i) {
        if (!copies_[i].data) copies_[i] = masters_[i];
        parameters_.push_back({&specs_[i], masters_[i], copies_[i], gradients_[i]});
    }
}

void ParameterStore::initialize(std::uint64_t seed) {
    for (std::size_t i = 0; i < specs_.size(); ++i) {
        const std::vector<float> values = initial_values(specs_[i], seed);
        copy_to_device(device_, masters_[i].data, values.data(), masters_[i].bytes());
    }
    refresh_copies();
}

void ParameterStore::refresh_copies() {
    Copy op{};
    for (std::size_t i = 0; i < specs_.size(); ++i)
        if (copies_[i].data != masters_[i].data) op.to.push_back(copies_[i]), op.from.push_back(masters_[i]);
    if (!op.to.empty()) run(device_, op);
}

std::uint64_t ParameterStore::hash() const {
    Hash64 hash;
    std::vector<std::byte> host;
    for (const Tensor& t : masters_) {
        host.resize(t.bytes());
        copy_to_host(device_, host.data(), t.data, t.bytes());
        hash.update(host.data(), host.size());
    }
    return hash.digest();
}

std::int64_t ParameterStore::count() const {
    std::int64_t total = 0;
    for (const ParamSpec& spec : specs_) total += spec.shape.count() - spec.padding_rows * spec.shape.cols();
    return total;
}

}  // namespace steepest
