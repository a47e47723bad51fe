#pragma once
// Samples: what fills the batches of a run, a pure function of a sample's number.
#include "core/tensor.h"

#include <cstdint>

namespace steepest {

// What a model reads and what it must predict: targets[b][t] is the token after inputs[b][t].
//   inputs, targets   (B, T)  i32, in host memory
struct Batch {
    Tensor inputs, targets;
};

class Samples {
public:
    virtual ~Samples() = default;
    // Fills `batch`, of any B, with samples [first_sample, first_sample + B) of the endless sequence, also in the midst
    // of a batch. Step s of a run with `batch` sequences a step is samples [s batch, (s + 1) batch); micro-batches and
    // ranks are slices of that range. Thread-safe.
    virtual void gather(std::int64_t first_sample, const Batch& batch) const = 0;
};

}  // namespace steepest
