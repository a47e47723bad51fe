// Spectral norm: the direction is the nearest semi-orthogonal matrix, by Newton-Schulz iteration.
// K. Jordan et al., "Muon", 2024, kellerjordan.github.io/posts/muon; Bernstein, Newhouse 2024, arXiv:2409.20325.
// State: none. Scratch: what Orthogonalize wants for as many matrices at a time as scratch_limit holds.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "ops/norm.h"
#include "optim/geometry.h"
#include "optim/polar.h"

namespace steepest {

namespace {

class Spectral final : public Geometry {
public:
    struct Options {
        std::string coefficients = "keller", precision = "bf16", norm = "divide";
        std::optional<std::string> form;
        std::optional<int> steps;
        int scratch_limit = 512;

        void fields(auto& f) {
            f("coefficients", coefficients, "the polynomials of the iteration, by name", OneOf(newton_schulz_names()));
            f("steps", steps, "iterations; null: as many as the authors of the coefficients take", Range<int>{1, 40});
            f("precision", precision, "of the matrices in memory; products are summed in fp32 either way",
              OneOf{"bf16", "fp32"});
            f("form", form,
              "x: step by step; gram: two steps at a time on the Gram matrix where matrices are not square, which is "
              "less work; null: gram where rounding does no more harm than in x, which is with fp32, and with bf16 for "
              "coefficients that are one polynomial",
              OneOf{"x", "gram"});
            f("norm", norm,
              "divide: iterate from the matrix over its Frobenius norm; cut: over the larger of that and 1, so that "
              "singular values of short matrices stay on their way up",
              OneOf{"divide", "cut"});
            f("scratch_limit", scratch_limit,
              "MiB for matrices that are worked on at a time; one always fits. A GPU works on all of GPT-2 124M's at "
              "once, and "
              "launches a tenth as much",
              Range<int>{.low = 0});
        }
    };
    explicit Spectral(Options options)
        : options_(std::move(options)),
          polar_({.coefficients = options_.coefficients,
                  .steps = options_.steps,
                  .compute = options_.precision == "fp32" ? DType::f32 : DType::bf16,
                  .form = form_named(options_.form),
                  .divides = options_.norm == "divide",
                  .scratch_limit = options_.scratch_limit}) {}

    bool needs_matrices() const override { return true; }

    bool has_dual() const override { return options_.norm == "divide"; }
    void prepare(Binding& binding) override {
        polar_.prepare(binding, "matrices", binding.shapes());
        if (options_.norm == "cut")
            binding.scratch("sums", &sums_, DType::f32, {static_cast<std::int64_t>(binding.shapes().size())});
    }
    void direct(const Binding& binding) override {
        if (sums_) {
            run(binding.device, SumOfSquares{.sums = sums_, .list = binding.gradients});
            run(binding.device, Normalize{.x = binding.gradients, .sums = sums_, .max_norm = 1});
        }
        polar_.replace(binding.device, binding.gradients, binding.dual, binding.ok);
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override { return polar_.flops(shapes); }

private:
    static std::optional<NewtonSchulzForm> form_named(const std::optional<std::string>& name) {
        if (!name) return std::nullopt;
        return *name == "gram" ? NewtonSchulzForm::gram : NewtonSchulzForm::x;
    }

    Options options_;
    Polar polar_;
    Tensor sums_;
};

const Register<Geometry, Spectral> registered("spectral", "spectral norm: the nearest semi-orthogonal matrix");

}  // namespace

}  // namespace steepest
