#pragma once
// Which sample a step sees: a pure function of the seed and the sample's number, so that the same tokens come in the
// same order whatever the micro-batch, the rank count, the backend or the number of resumes.
#include "data/dataset.h"
#include "data/samples.h"

#include <cstdint>

namespace steepest {

enum class Order : std::uint8_t {
    shuffled,    // every window once an epoch, each epoch in another random order
    sequential,  // windows as they stand in the data, for validation
};

class Loader final : public Samples {
public:
    // The dataset must outlive the loader and not move.
    Loader(const Dataset& dataset, std::uint64_t seed, Order order) : dataset_(&dataset), seed_(seed), order_(order) {}

    // Epoch after epoch. Throws InputError as Dataset::read_window.
    void gather(std::int64_t first_sample, const Batch& batch) const override;

    // The window that is sample `sample`.
    std::int64_t window(std::int64_t sample) const;

    const Dataset& dataset() const { return *dataset_; }

private:
    const Dataset* dataset_;
    std::uint64_t seed_;
    Order order_;
};

}  // namespace steepest
