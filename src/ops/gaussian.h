#pragma once
// Random tensors of optimizers: sketches, noise and choices.
#include "core/random.h"
#include "ops/op.h"

namespace steepest {

// x[i][k] = scale * standard normal number (i << 33) + k of the stream, in f32: the same numbers on every backend, up
// to the rounding of logarithm and cosine.
//
//   x      f32, fewer than 2^33 elements each
//   key    of the stream, see Random::key()
//   step   (1) f32, a whole number: the stream's step
struct Gaussian {
    static constexpr std::string_view name = "Gaussian";

    TensorList x;
    Random::Key key;
    ConstTensor step;
    float scale = 1;

    void check() const {
        for (const Tensor& t : x) require(t.dtype == DType::f32, name, "x must be f32");
        require(step && step.count() == 1 && step.dtype == DType::f32, name, "step must be one f32");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
    }
};
void run(Cpu&, const Gaussian&);
void run(Cuda&, const Gaussian&);

// x[i][k] = 1 where uniform number (i << 33) + k of the stream, in [0, 1), is below `probability`, else 0: the same on
// every backend.   x, key and step as Gaussian's.
struct Bernoulli {
    static constexpr std::string_view name = "Bernoulli";

    TensorList x;
    Random::Key key;
    ConstTensor step;
    double probability;

    void check() const {
        for (const Tensor& t : x) require(t.dtype == DType::f32, name, "x must be f32");
        require(step && step.count() == 1 && step.dtype == DType::f32, name, "step must be one f32");
    }
    void tensors(auto&& visit) const {
        for (const Tensor& t : x) visit("x", t);
    }
};
void run(Cpu&, const Bernoulli&);
void run(Cuda&, const Bernoulli&);

}  // namespace steepest
