#include "train/task.h"

#include "train/synthetic_task.h"
#include "train/text_task.h"

namespace steepest {

std::unique_ptr<Task> make_task(const RunConfig& config) {
    if (config.problem) return std::make_unique<SyntheticTask>(config);
    return std::make_unique<TextTask>(config);
}

}  // namespace steepest
