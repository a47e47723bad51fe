// Each matrix its own norm: the polar factor where its stable rank ||U||_F^2 / ||U||_2^2 is at most a share of its
// shorter side, the sign of each element elsewhere: LionMuon's trigger, arXiv:2605.19811,
// github.com/brain-lab-research/lion-muon. The spectral norm is from three power iterations on a random vector, another
// one each step, and so a little too small. Both directions are computed, and one is taken on the device: it costs what
// Muon does. State: none; scratch: the matrices, and Orthogonalize's.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "ops/gaussian.h"
#include "ops/multiply.h"
#include "ops/norm.h"
#include "ops/step_size.h"
#include "optim/geometry.h"
#include "optim/polar.h"
#include "optim/scaling.h"

namespace steepest {

namespace {

constexpr int kPowerIterations = 3;

class ByStableRank final : public Geometry {
public:
    struct Options {
        double share = 0.4, gain = 20;
        std::string scaling = "0.2*sqrt(max(rows, cols))", coefficients = "keller", precision = "bf16";

        void fields(auto& f) {
            f("share", share, "of the shorter side, up to which a stable rank counts as small",
              Range<double>{.low = 0, .high = 1});
            f("gain", gain, "factor of polar factors: their learning rate over that of signs", Range<double>{.low = 0});
            f("scaling", scaling, "one more factor of theirs", OneOf(scaling_formulas()));
            f("coefficients", coefficients, "the polynomials of the iteration, by name", OneOf(newton_schulz_names()));
            f("precision", precision, "of the iteration's matrices in memory", OneOf{"bf16", "fp32"});
        }
    };
    explicit ByStableRank(Options options)
        : options_(std::move(options)),
          newton_schulz_({.coefficients = options_.coefficients,
                          .steps = {},
                          .compute = options_.precision == "fp32" ? DType::f32 : DType::bf16,
                          .scratch_limit = 512}) {}

    bool needs_matrices() const override { return true; }
    bool has_dual() const override { return false; }

    void prepare(Binding& binding) override {
        shapes_ = binding.shapes();
        const auto n = static_cast<std::int64_t>(shapes_.size());
        std::vector<Shape> rows, columns;
        for (const Shape& s : shapes_) rows.push_back({1, s.cols()}), columns.push_back({1, s.rows()});
        binding.scratch("right", std::move(rows), &right_);
        binding.scratch("left", std::move(columns), &left_);
        binding.scratch("polar", shapes_, &polar_);
        for (Tensor* t : {&squares_, &largest_, &polar_factor_, &sign_factor_})
            binding.scratch("number", t, DType::f32, {n});
        binding.scalars("limits", n, &limits_);
        binding.scalars("gains", n, &gains_);
        binding.scalar("step", &step_);
        newton_schulz_.prepare(binding, "matrices", shapes_);
    }
    void begin_step(std::int64_t step) override {
        step_.set(static_cast<double>(step));
        for (std::size_t i = 0; i < shapes_.size(); ++i) {
            limits_.set(i, options_.share * static_cast<double>(std::min(shapes_[i].rows(), shapes_[i].cols())));
            gains_.set(i, options_.gain * scaling_factor(options_.scaling, shapes_[i]));
        }
    }
    void direct(const Binding& binding) override {
        const Device device = binding.device;
        const TensorList& x = binding.gradients;
        run(device, SumOfSquares{.sums = squares_, .list = x});
        find_largest_singular_values(binding);
        run(device, Choose{.first = polar_factor_,
                           .second = sign_factor_,
                           .a = squares_,
                           .b = largest_,
                           .limits = limits_.tensor(),
                           .gains = gains_.tensor()});
        run(device, Copy{.to = polar_, .from = x});
        newton_schulz_.replace(device, polar_, {}, binding.ok);
        run(device, Sign{.x = x});
        run(device, AddScaled{.x = x, .y = x, .a = 0, .factors = sign_factor_});
        run(device, AddScaled{.x = x, .y = polar_, .factors = polar_factor_});
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        std::int64_t products = 0;
        for (const Shape& shape : shapes) products += 2 * shape.count() * 2 * (kPowerIterations + 1);
        return newton_schulz_.flops(shapes) + products;
    }

private:
    // Their squares: ||X v||^2 of unit vectors v = X^T X v / ||X^T X v||.
    void find_largest_singular_values(const Binding& binding) {
        const Device device = binding.device;
        run(device, Gaussian{.x = right_, .key = binding.stream("power"), .step = step_.tensor()});
        const auto normalize = [&] {
            run(device, SumOfSquares{.sums = largest_, .list = right_});
            run(device, Normalize{.x = right_, .sums = largest_});
        };
        normalize();
        for (int k = 0; k <= kPowerIterations; ++k) {
            run(device, Multiply{.c = left_, .a = right_, .b = binding.gradients, .transpose_b = true});
            if (k == kPowerIterations) break;
            run(device, Multiply{.c = right_, .a = left_, .b = binding.gradients});
            normalize();
        }
        run(device, SumOfSquares{.sums = largest_, .list = left_});
    }

    Options options_;
    Polar newton_schulz_;
    std::vector<Shape> shapes_;
    TensorList right_, left_, polar_;
    Tensor squares_, largest_, polar_factor_, sign_factor_;
    Scalars limits_, gains_;
    Scalar step_;
};

const Register<Geometry, ByStableRank> registered("by_stable_rank",
                                                  "polar factors of small stable ranks, signs of others");

}  // namespace

}  // namespace steepest
