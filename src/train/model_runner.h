#pragma once
// A model with its weights and the memory to run it, without training: what train, eval, sample and bench share.
#include "train/checkpoint.h"
#include "train/parameters.h"
#include "train/run_config.h"
#include "train/task.h"

#include <memory>
#include <vector>

namespace steepest {

// Bytes of one kind of memory, for the table of --dry-run.
struct MemoryLine {
    std::string what;
    std::int64_t bytes;
};

enum class Purpose { train, inference };

class ModelRunner {
public:
    // Opens what evaluations need, if the config has any. Plans, gradients only for training; nothing is allocated.
    ModelRunner(const RunConfig& config, Purpose purpose);
    ModelRunner(const ModelRunner&) = delete;
    ModelRunner& operator=(const ModelRunner&) = delete;

    // Throws InputError with the plan if the device cannot hold it; nothing is allocated.
    void require_memory(Device device) const;
    // Gives everything planned, here and by whoever shares these layouts, its memory.
    void allocate(Device device);

    const RunConfig& config() const { return config_; }
    Device device() const { return device_; }
    Task& task() { return *task_; }
    const Task& task() const { return *task_; }
    ParameterStore& parameters() { return parameters_; }
    std::vector<NamedTensor> named_weights() const;

    // Kinds of memory. `state` is what a checkpoint keeps besides the masters; it starts at zero.
    struct Layouts {
        Layout weights, gradients, activations, state, scratch;
    };
    Layouts& layouts() { return layouts_; }
    const Layouts& layouts() const { return layouts_; }
    std::vector<MemoryLine> memory() const;
    // The planned tensor that holds this address, for messages; empty if none does.
    std::string tensor_at(const void* address) const;

private:
    RunConfig config_;
    std::unique_ptr<Task> task_;
    ParameterStore parameters_;
    Layouts layouts_;
    Device device_{};
    std::vector<Buffer> buffers_;
};

}  // namespace steepest
