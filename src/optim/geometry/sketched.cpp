// Spectral norm within a random subspace: the polar factor of what a sketch (optim/sketch.h) keeps of a matrix,
//   D = Q NS(Q^T U)
// of rank l = rank + oversampling, for the price of products with l rows. Low-rank Muon, arXiv:2509.11983,
// github.com/dengzhanwang/Low-rank-Muon; with power iterations arXiv:2605.06884,
// github.com/Xiaoran-Cheng/muon-randomized-svd. With l as large as the shorter side it is the spectral geometry.
// State: none, random numbers are a function of the step. Scratch: l rows of both sides, and Orthogonalize's for these.
#include "core/registry.h"
#include "ops/orthogonalize.h"
#include "optim/geometry.h"
#include "optim/geometry/newton_schulz_sets.h"
#include "optim/sketch.h"

namespace steepest {

namespace {

class Sketched final : public Geometry {
public:
    struct Options : SketchOptions {
        std::string coefficients = "keller", precision = "bf16";
        std::optional<int> steps;

        void fields(auto& f) {
            SketchOptions::fields(f);
            f("coefficients", coefficients, "the polynomials of the iteration, by name", OneOf(newton_schulz_names()));
            f("steps", steps, "iterations; null: as many as the authors of the coefficients take", Range<int>{1, 40});
            f("precision", precision, "of the iteration's matrices in memory", OneOf{"bf16", "fp32"});
        }
    };
    explicit Sketched(Options options)
        : options_(std::move(options)),
          set_(newton_schulz_set(options_.coefficients,
                                 options_.steps.value_or(newton_schulz_default_steps(options_.coefficients)))),
          sketch_(options_) {}

    bool needs_matrices() const override { return true; }
    void prepare(Binding& binding) override {
        sketch_.prepare(binding);
        const std::int64_t bytes =
            Orthogonalize::scratch_bytes(kept(binding.shapes()), compute(), std::int64_t{64} << 20);
        binding.scratch("matrices", &scratch_, DType::f32, Shape{(bytes + 3) / 4});
    }
    void begin_step(std::int64_t step) override { sketch_.begin_step(step); }
    void direct(const Binding& binding) override {
        sketch_.make(binding, binding.gradients);
        Orthogonalize op = iteration();
        op.x = sketch_.coordinates(), op.dual = binding.dual;
        run(binding.device, op);
        Sketch::expand(binding.device, binding.gradients, sketch_.basis(), sketch_.coordinates());
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        Orthogonalize op = iteration();
        std::int64_t expansion = 0;
        for (const Shape& shape : shapes) {
            op.x.push_back({nullptr, DType::f32, options_.coordinates(shape)});
            expansion += 2 * shape.count() * op.x.back().shape.rows();
        }
        return sketch_.flops(shapes) + op.flops() + expansion;
    }

private:
    DType compute() const { return options_.precision == "fp32" ? DType::f32 : DType::bf16; }
    std::vector<Shape> kept(const std::vector<Shape>& shapes) const {
        std::vector<Shape> list;
        for (const Shape& s : shapes) list.push_back(options_.coordinates(s));
        return list;
    }
    Orthogonalize iteration() const {
        return {.x = {},
                .scratch = scratch_,
                .coefficients = set_.coefficients,
                .compute = compute(),
                .norm_factor = set_.norm_factor,
                .epsilon = set_.epsilon};
    }

    Options options_;
    NewtonSchulzSet set_;
    Sketch sketch_;
    Tensor scratch_;
};

const Register<Geometry, Sketched> registered("sketched", "spectral norm within a random subspace");

}  // namespace

}  // namespace steepest
