// Singular values above a threshold become the threshold: U min(S, threshold) V^T. As "gradient" before sgd this is
// spectral clipping, arXiv:2605.11838, against noise with heavy tails, whose spikes are few large singular values.
// With P = U V^T, H = X P^T and sign(threshold I - H), by Newton-Schulz (optim/polar.h):
//   E = threshold P - X;   X = X + (E - sign(threshold I - H) E) / 2
// A singular value s ends off by at most 1.8e-6 ||threshold I - H||_F, however near the threshold it is: the sign is
// slow there, and what it multiplies is small. No state; scratch: twice the matrices and the squares of their shorter
// sides.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "optim/polar.h"
#include "optim/sides.h"
#include "optim/transform.h"

namespace steepest {

namespace {

class SpectralClip final : public Transform {
public:
    struct Options {
        float threshold = 1;

        void fields(auto& f) {
            f("threshold", threshold, "the largest singular value that stays, in units of what is clipped",
              Range<float>{.low = 0, .open_low = true});
        }
    };
    explicit SpectralClip(Options options) : options_(options) {}

    bool needs_matrices() const override { return true; }
    void prepare(Binding& binding) override {
        const std::vector<Shape>& shapes = binding.shapes();
        std::vector<Shape> sides = side_shapes(shapes), all = shapes;
        binding.scratch("polar", shapes, &polar_);
        binding.scratch("step", shapes, &step_);
        binding.scratch("sign", sides, &sign_);
        all.insert(all.end(), sides.begin(), sides.end());
        newton_schulz_.prepare(binding, "newton_schulz", all);
    }
    void apply(const Binding& binding) override {
        const Device device = binding.device;
        const TensorList& x = binding.gradients;
        run(device, Copy{.to = polar_, .from = x});
        newton_schulz_.replace(device, polar_);
        multiply(device, SideProduct{.h = sign_, .x = x, .y = polar_, .alpha = -1, .identity = options_.threshold});
        newton_schulz_.replace(device, sign_);
        const TensorList& e = polar_;
        run(device, AddScaled{.x = e, .y = x, .a = options_.threshold, .b = -1});
        multiply(device, SideApplication{.z = step_, .h = sign_, .x = e, .d = e, .alpha = -0.5f, .beta = 0.5f});
        run(device, AddScaled{.x = x, .y = step_});
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        return newton_schulz_.flops(shapes) + newton_schulz_.flops(side_shapes(shapes)) + 2 * side_flops(shapes);
    }

private:
    Options options_;
    TensorList polar_, step_, sign_;
    Polar newton_schulz_;
};

const Register<Transform, SpectralClip> registered("spectral_clip", "singular values no larger than a threshold");

}  // namespace

}  // namespace steepest
