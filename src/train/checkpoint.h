#pragma once
// Checkpoints: what a run needs to go on as if it had never stopped, in folders that are there whole or not at all.
//
//     checkpoints/step_000500/{weights.safetensors, optimizer.safetensors, state.json}
//
// One is written beside its final name, every file and folder synced, and renamed; older ones go only after that. So
// the last good one survives a kill, a power cut and a full disk. state.json holds the checksums, its own too.
#include "core/device.h"
#include "core/tensor.h"
#include "train/run_state.h"

#include <cstdint>
#include <optional>
#include <span>
#include <spdlog/logger.h>
#include <string>
#include <vector>

namespace steepest {

struct NamedTensor {
    std::string name;
    Tensor tensor;
};

using Tensors = std::span<const NamedTensor>;

// "step_000500". Seven digits and more from step 1,000,000 on.
std::string checkpoint_name(std::int64_t step);

// The checkpoints of one run. Whoever saves must hold the run's lock.
class Checkpoints {
public:
    // `folder` is made by the first save. `keep`: how many to keep, 0 for all.
    Checkpoints(std::string folder, Device device, int keep, spdlog::logger& logger);

    // Returns the checkpoint's folder once it is durable. Replaces one of the same step. Throws StorageError, and then
    // nothing has changed but that temporary files were removed.
    std::string save(const RunState& state, Tensors weights, Tensors optimizer);

    // Fills the tensors from the newest checkpoint that is intact; a damaged one is skipped with a warning that names
    // the file and what is wrong with it. Nothing if there are none. Throws InputError if there are some but none is
    // intact, listing each, and if an intact one is of another model or optimizer, naming the first tensor that
    // differs; then no tensor was touched.
    std::optional<RunState> load_latest(Tensors weights, Tensors optimizer);
    // The weights alone, for evaluation and sampling; the optimizer's file need not even be there.
    std::optional<RunState> load_latest_weights(Tensors weights);

    // One checkpoint, by its folder's path. Throws InputError if it is damaged or of another model or optimizer.
    RunState load(const std::string& path, Tensors weights, Tensors optimizer);
    RunState load_weights(const std::string& path, Tensors weights);

    // Paths, newest first; whether they are intact is not looked at.
    std::vector<std::string> list() const;

private:
    std::optional<RunState> latest(Tensors weights, std::optional<Tensors> optimizer);
    void remove_old(std::int64_t newest_step);

    std::string folder_;
    Device device_;
    int keep_;
    spdlog::logger* logger_;
};

}  // namespace steepest
