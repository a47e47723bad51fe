#pragma once
// Communicator: how the processes of one run exchange tensors. One process, one rank, one device.
#include "core/tensor.h"

#include <memory>
#include <span>

namespace steepest {

class Communicator {
public:
    virtual ~Communicator() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;

    // Replaces each tensor (f32) by its mean over ranks; every rank gets the same bits. Returns at once; the result is
    // there after finish(). With one rank it is the identity.
    virtual void start_mean(std::span<const Tensor> tensors) = 0;
    // Orders later work on this rank's device after every mean started so far.
    virtual void finish() = 0;

    virtual void broadcast(std::span<const Tensor> tensors, int root) = 0;
    virtual void barrier() = 0;
};

// A group of one: every verb is the identity.
std::unique_ptr<Communicator> make_single();

}  // namespace steepest
