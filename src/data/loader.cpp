#include "data/loader.h"

#include "core/random.h"
#include "data/permutation.h"

#include <algorithm>
#include <vector>

namespace steepest {

std::int64_t Loader::window(std::int64_t sample) const {
    const std::int64_t n = dataset_->sample_count(), epoch = sample / n, index = sample % n;
    if (order_ == Order::sequential) return index;
    return Permutation(n, Random(seed_, "data", epoch))(index);
}

void Loader::gather(std::int64_t first_sample, const Batch& batch) const {
    const std::int64_t T = dataset_->context(), B = batch.inputs.shape[0];
    assert(batch.inputs.shape == (Shape{B, T}) && batch.targets.shape == batch.inputs.shape);
    auto* inputs = batch.inputs.as<std::int32_t>();
    auto* targets = batch.targets.as<std::int32_t>();
    std::vector<std::int32_t> tokens(T + 1);
    for (std::int64_t b = 0; b < B; ++b) {
        dataset_->read_window(window(first_sample + b), tokens.data());
        std::copy_n(tokens.data(), T, inputs + b * T);
        std::copy_n(tokens.data() + 1, T, targets + b * T);
    }
}

}  // namespace steepest
