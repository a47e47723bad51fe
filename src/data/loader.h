#pragma once
// Which sample a step sees: a pure function of the seed and the sample's number, so that the same tokens come in the
// same order whatever the micro-batch, the rank count, the backend or the number of resumes.
#include "core/tensor.h"
#include "data/dataset.h"

#include <cstdint>

namespace steepest {

// What a model reads and what it must predict: targets[b][t] is the token after inputs[b][t].
//   inputs, targets   (B, T)  i32, in host memory
struct Batch {
    Tensor inputs, targets;
};

enum class Order : std::uint8_t {
    shuffled,    // every window once an epoch, each epoch in another random order
    sequential,  // windows as they stand in the data, for validation
};

class Loader {
public:
    // The dataset must outlive the loader and not move.
    Loader(const Dataset& dataset, std::uint64_t seed, Order order) : dataset_(&dataset), seed_(seed), order_(order) {}

    // Fills `batch`, of any B, with samples [first_sample, first_sample + B) of the endless sequence: epoch after
    // epoch, also in the midst of a batch. Step s of a run with `batch` sequences a step is samples [s batch, (s + 1)
    // batch); micro-batches and ranks are slices of that range. Thread-safe. Throws InputError as Dataset::read_window.
    void gather(std::int64_t first_sample, const Batch& batch) const;

    // The window that is sample `sample`.
    std::int64_t window(std::int64_t sample) const;

    const Dataset& dataset() const { return *dataset_; }

private:
    const Dataset* dataset_;
    std::uint64_t seed_;
    Order order_;
};

}  // namespace steepest
