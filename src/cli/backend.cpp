#include "cli/backend.h"

#include "core/error.h"

namespace steepest::cli {

namespace {

// Its index, or why there is none.
std::variant<int, std::string> first_usable_gpu() {
    const CudaDevices devices = cuda_devices();
    std::string why = devices.absence;
    for (std::size_t i = 0; i < devices.all.size(); ++i) {
        const auto& [name, unusable] = devices.all[i];
        if (unusable.empty()) return static_cast<int>(i);
        why += (why.empty() ? "" : "; ") + name + ": " + unusable;
    }
    return why;
}

}  // namespace

Backend::Backend(const RunConfig& config) {
    int index = config.cuda_index();
    if (config.device == "auto" && config.problem) {
        why_no_gpu_ = config.problem->type() + " is computed on the host";
    } else if (config.device == "auto") {
        const auto found = first_usable_gpu();
        if (const auto* why = std::get_if<std::string>(&found))
            why_no_gpu_ = *why;
        else
            index = std::get<int>(found);
    }
    const bool tf32 = config.precision.compute == "tf32";
    if (index >= 0) {
        cuda_ = open_cuda(
            index, {.graphs = config.cuda.graphs, .tf32 = tf32, .search_algorithms = config.cuda.search_algorithms});
        return;
    }
    if (tf32)
        throw InputError("/precision/compute: tf32 needs a GPU" + (why_no_gpu_.empty() ? "" : "; " + why_no_gpu_));
    cpu_.emplace(config.threads);
}

Device Backend::device() { return cuda_ ? cuda_->device() : Device(&*cpu_); }

std::string Backend::describe() const { return cuda_ ? cuda_->describe() : "cpu: " + cpu_->describe(); }

}  // namespace steepest::cli
