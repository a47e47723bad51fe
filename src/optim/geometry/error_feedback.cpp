// Polar factors of the size of what they stand for, and what they leave out kept for the next step:
//   P = U + E;   D = ||P||_* / r polar(P), r the shorter side;   E = P - D
// Signs of that size with their error fed back, Karimireddy et al. 2019, arXiv:1901.09847, carried over to matrices:
// momentum-free Muon does not converge on convex functions that are not smooth, this does, arXiv:2605.08980, whose own
// recursion was not found. E is in units of the direction, so that it shrinks with the learning rate. Polar factors are
// optim/polar.h's. State: error.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/geometry.h"
#include "optim/polar.h"

#include <algorithm>

namespace steepest {

namespace {

class ErrorFeedback final : public Geometry {
public:
    using Options = NoOptions;
    explicit ErrorFeedback(Options) {}

    bool needs_matrices() const override { return true; }
    bool has_dual() const override { return false; }

    void prepare(Binding& binding) override {
        shapes_ = binding.shapes();
        const auto n = static_cast<std::int64_t>(shapes_.size());
        binding.state("error", &error_);
        binding.scratch("whole", shapes_, &whole_);
        binding.scratch("nuclear", &nuclear_, DType::f32, {n});
        binding.scalars("shares", n, &shares_);
        polar_.prepare(binding, "newton_schulz", shapes_);
    }
    void begin_step(std::int64_t) override {
        for (std::size_t i = 0; i < shapes_.size(); ++i)
            shares_.set(i, 1 / static_cast<double>(std::min(shapes_[i].rows(), shapes_[i].cols())));
    }
    void direct(const Binding& binding) override {
        const Device device = binding.device;
        const TensorList& x = binding.gradients;
        run(device, AddScaled{.x = x, .y = error_});
        run(device, Copy{.to = whole_, .from = x});
        polar_.replace(device, x, nuclear_);
        run(device, AddScaled{.x = x, .y = x, .a = 0, .factors = nuclear_});
        run(device, AddScaled{.x = x, .y = x, .a = 0, .factors = shares_.tensor()});
        run(device, AddScaled{.x = whole_, .y = x, .b = -1});
        run(device, Copy{.to = error_, .from = whole_, .gate = binding.ok});
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override { return polar_.flops(shapes); }

private:
    std::vector<Shape> shapes_;
    TensorList error_, whole_;
    Tensor nuclear_;
    Scalars shares_;
    Polar polar_;
};

const Register<Geometry, ErrorFeedback> registered("error_feedback",
                                                   "polar factors at size, their error kept for the next step");

}  // namespace

}  // namespace steepest
