#include "train/model_runner.h"

#include "core/error.h"

namespace steepest {

namespace {

constexpr std::pair<const char*, Layout ModelRunner::Layouts::*> kLayouts[] = {
    {"weights", &ModelRunner::Layouts::weights},         {"gradients", &ModelRunner::Layouts::gradients},
    {"activations", &ModelRunner::Layouts::activations}, {"optimizer state", &ModelRunner::Layouts::state},
    {"scratch", &ModelRunner::Layouts::scratch},
};

}  // namespace

ModelRunner::ModelRunner(const RunConfig& config, Purpose purpose)
    : config_(config), task_(make_task(config)), parameters_(task_->problem().parameters(), config.precision.dtype()) {
    task_->plan(layouts_.scratch);
    Layout nowhere;  // gradients get their shapes, and no memory
    parameters_.plan(layouts_.weights, purpose == Purpose::train ? layouts_.gradients : nowhere);
    task_->problem().plan(layouts_.activations, config.micro_batch_sequences());
}

void ModelRunner::require_memory(Device device) const {
    const auto mebibytes = [](std::int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; };
    std::int64_t total = 0;
    std::string plan;
    for (const MemoryLine& line : memory()) {
        total += line.bytes;
        plan += "\n  " + line.what + ": " + mebibytes(line.bytes);
    }
    if (const std::int64_t free = free_bytes(device); total > free)
        throw InputError("the run needs " + mebibytes(total) + " and the device has " + mebibytes(free) +
                         " free; a smaller micro_batch needs fewer activations" + plan);
}

void ModelRunner::allocate(Device device) {
    device_ = device;
    for (const auto& [name, layout] : kLayouts) buffers_.push_back((layouts_.*layout).allocate(device));
    for (const Layout::Entry& e : layouts_.state.entries()) fill_zero(device, e.slot->data, e.slot->bytes());
    parameters_.bind(device);
    task_->problem().bind(device);
    task_->bind(device);
}

std::vector<NamedTensor> ModelRunner::named_weights() const {
    std::vector<NamedTensor> named;
    for (const Parameter& p : parameters_.parameters()) named.push_back({p.spec->name, p.master});
    return named;
}

std::vector<MemoryLine> ModelRunner::memory() const {
    std::vector<MemoryLine> lines;
    for (const auto& [name, layout] : kLayouts) lines.push_back({name, (layouts_.*layout).bytes()});
    return lines;
}

std::string ModelRunner::tensor_at(const void* address) const {
    for (const auto& [name, layout] : kLayouts)
        for (const Layout::Entry& e : (layouts_.*layout).entries()) {
            const auto* begin = static_cast<const std::byte*>(e.slot->data);
            if (begin && address >= begin && address < begin + e.slot->bytes()) return e.name;
        }
    return {};
}

}  // namespace steepest
