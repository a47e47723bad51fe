#pragma once
// Decays of averages, which may be 0 until the first good step is done: the average then starts at its first value,
// whichever step that is. State, where it is so: started, 0 or 1.
#include "ops/elementwise.h"
#include "ops/step_size.h"
#include "optim/binding.h"

#include <array>

namespace steepest {

template <std::size_t kCount>
class Decays {
public:
    explicit Decays(bool from_first_value) : from_first_value_(from_first_value) {}

    void prepare(Binding& binding) {
        for (Scalar& s : given_) binding.scalar("decay", &s);
        if (!from_first_value_) return;
        binding.number_state("started", &started_);
        binding.scalar("one", &one_);
        binding.scratch("decays", &used_, DType::f32, {kCount});
    }
    void set(const std::array<double, kCount>& decays) {
        for (std::size_t i = 0; i < kCount; ++i) given_[i].set(decays[i]);
        if (from_first_value_) one_.set(1);
    }
    // Before and after the op that takes them.
    void begin(const Binding& binding) const {
        for (std::size_t i = 0; from_first_value_ && i < kCount; ++i)
            run(binding.device, SumOfProducts{.total = used(i), .a = given_[i].tensor(), .b = started_});
    }
    void end(const Binding& binding) const {
        if (!from_first_value_) return;
        const ConstTensor one = one_.tensor();
        run(binding.device, Copy{.to = {started_},
                                 .from = {Tensor(const_cast<void*>(one.data), one.dtype, one.shape)},
                                 .gate = binding.ok});
    }
    ConstTensor operator[](std::size_t i) const { return from_first_value_ ? used(i) : given_[i].tensor(); }

private:
    Tensor used(std::size_t i) const { return {used_.template as<float>() + i, DType::f32, Shape{1}}; }

    bool from_first_value_;
    std::array<Scalar, kCount> given_;
    Scalar one_;
    Tensor started_, used_;
};

}  // namespace steepest
