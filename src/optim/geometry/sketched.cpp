// Spectral norm within a random subspace: the polar factor of what a sketch (optim/sketch.h) keeps of a matrix,
//   D = Q NS(Q^T U)
// of rank l = rank + oversampling, for the price of products with l rows. Low-rank Muon, arXiv:2509.11983,
// github.com/dengzhanwang/Low-rank-Muon; with power iterations arXiv:2605.06884,
// github.com/Xiaoran-Cheng/muon-randomized-svd. With l as large as the shorter side it is the spectral geometry.
// State: none, random numbers are a function of the step. Scratch: l rows of both sides, and Orthogonalize's for these.
#include "core/registry.h"
#include "optim/geometry.h"
#include "optim/polar.h"
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
          polar_({.coefficients = options_.coefficients,
                  .steps = options_.steps,
                  .compute = options_.precision == "fp32" ? DType::f32 : DType::bf16}),
          sketch_(options_) {}

    bool needs_matrices() const override { return true; }
    void prepare(Binding& binding) override {
        sketch_.prepare(binding);
        polar_.prepare(binding, "matrices", kept(binding.shapes()));
    }
    void begin_step(std::int64_t step) override { sketch_.begin_step(step); }
    void direct(const Binding& binding) override {
        sketch_.make(binding, binding.gradients);
        polar_.replace(binding.device, sketch_.coordinates(), binding.dual);
        Sketch::expand(binding.device, binding.gradients, sketch_.basis(), sketch_.coordinates());
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        std::int64_t expansion = 0;
        for (const Shape& shape : shapes) expansion += 2 * shape.count() * options_.coordinates(shape).rows();
        return sketch_.flops(shapes) + polar_.flops(kept(shapes)) + expansion;
    }

private:
    std::vector<Shape> kept(const std::vector<Shape>& shapes) const {
        std::vector<Shape> list;
        for (const Shape& s : shapes) list.push_back(options_.coordinates(s));
        return list;
    }

    Options options_;
    Polar polar_;
    Sketch sketch_;
};

const Register<Geometry, Sketched> registered("sketched", "spectral norm within a random subspace");

}  // namespace

}  // namespace steepest
