#pragma once
// Problem: what is optimised, as the trainer sees it. GPT-2 is one problem; quadratics for theory are others.
#include "core/memory.h"
#include "core/parameter.h"

#include <cstdint>
#include <span>
#include <vector>

namespace steepest {

// One micro-batch: token ids on the device, and where it stands in the data order, for problems that make their own
// noise.
struct MicroBatch {
    ConstTensor inputs, targets;  // (B, T) i32 each
    std::int64_t first_sample = 0;
};

class Problem {
public:
    virtual ~Problem() = default;

    virtual const std::vector<ParamSpec>& parameters() const = 0;
    // Plans the memory a call of gradient() or loss() needs for up to `sequences` sequences.
    virtual void plan(Layout& activations, std::int64_t sequences) = 0;
    // Called once after the planned memory has its addresses.
    virtual void bind(Device device) = 0;

    // loss[0] (+)= scale * sum of losses over the batch's targets;   gradients[i] (+)= scale * d(that sum) /
    // d(weights[i]).
    //
    //   weights     compute copies, f32 or bf16, one a parameter, in table order; any set of values: the second
    //   gradient of
    //               variance reduction passes others than the current ones
    //   gradients   f32, one a parameter; overwritten unless accumulating
    //   loss        f32 (1)
    virtual void gradient(std::span<const Tensor> weights, const MicroBatch& batch, std::span<const Tensor> gradients,
                          Tensor loss, float scale, bool accumulate) = 0;
    // The loss alone.
    virtual void loss(std::span<const Tensor> weights, const MicroBatch& batch, Tensor loss, float scale,
                      bool accumulate) = 0;

    // Floating-point operations of gradient() over `sequences` sequences, recomputation not counted.
    virtual std::int64_t gradient_flops(std::int64_t sequences) const = 0;
    virtual std::int64_t targets_per_sequence() const = 0;
};

// The dtype of a parameter's compute copy.
inline DType copy_dtype(const ParamSpec& spec, DType compute) { return spec.follows_compute ? compute : DType::f32; }

}  // namespace steepest
