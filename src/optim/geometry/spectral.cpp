// Spectral norm: the direction is the nearest semi-orthogonal matrix, by Newton-Schulz iteration.
// K. Jordan et al., "Muon", 2024, kellerjordan.github.io/posts/muon; Bernstein, Newhouse 2024, arXiv:2409.20325.
// State: none. Scratch: what Orthogonalize wants for the largest shape.
#include "core/registry.h"
#include "ops/orthogonalize.h"
#include "optim/geometry.h"
#include "optim/geometry/newton_schulz_sets.h"

namespace steepest {

namespace {

class Spectral final : public Geometry {
public:
    struct Options {
        std::string coefficients = "keller", precision = "bf16", form = "x";
        std::optional<int> steps;
        int scratch_limit = 64;

        void fields(auto& f) {
            f("coefficients", coefficients, "the polynomials of the iteration, by name", OneOf(newton_schulz_names()));
            f("steps", steps, "iterations; null: as many as the authors of the coefficients take", Range<int>{1, 40});
            f("precision", precision, "of the matrices in memory; products are summed in fp32 either way",
              OneOf{"bf16", "fp32"});
            f("form", form,
              "x: iterate on the matrix; gram: on its Gram matrix, half the work for wide matrices, but wrong by up to "
              "2e-4 where singular values are under 1e-3 of the largest",
              OneOf{"x", "gram"});
            f("scratch_limit", scratch_limit, "MiB for matrices that are worked on at a time; one always fits",
              Range<int>{.low = 0});
        }
        void check(auto&& error) const {
            if (form == "gram" && precision != "fp32") error("/form", "gram needs precision fp32, found " + precision);
        }
    };
    explicit Spectral(Options options)
        : options_(std::move(options)),
          set_(newton_schulz_set(options_.coefficients,
                                 options_.steps.value_or(newton_schulz_default_steps(options_.coefficients)))) {}

    bool needs_matrices() const override { return true; }

    void prepare(Binding& binding) override {
        const std::vector<Shape>& shapes = binding.shapes();
        batches_ = batches(shapes);
        std::int64_t bytes = 0;
        for (const std::vector<std::size_t>& batch : batches_)
            bytes =
                std::max(bytes, Orthogonalize::scratch_bytes(shapes[batch[0]].rows(), shapes[batch[0]].cols(),
                                                             static_cast<std::int64_t>(batch.size()), compute(),
                                                             static_cast<std::int64_t>(options_.scratch_limit) << 20));
        binding.scratch("matrices", &scratch_, DType::f32, Shape{(bytes + 3) / 4});
    }
    void direct(const Binding& binding) override {
        for (const std::vector<std::size_t>& batch : batches_) {
            Orthogonalize op = iteration();
            for (const std::size_t i : batch) op.x.push_back(binding.gradients[i]);
            op.gate = binding.ok;
            run(binding.device, op);
        }
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        std::int64_t total = 0;
        for (const std::vector<std::size_t>& batch : batches(shapes)) {
            Orthogonalize op = iteration();
            op.x.assign(batch.size(), Tensor(nullptr, DType::f32, shapes[batch[0]]));
            total += op.flops();
        }
        return total;
    }

private:
    // Indices of equal shapes, in order of the first of each.
    static std::vector<std::vector<std::size_t>> batches(const std::vector<Shape>& shapes) {
        std::vector<std::vector<std::size_t>> list;
        for (std::size_t i = 0; i < shapes.size(); ++i) {
            const auto same = std::ranges::find_if(list, [&](const auto& b) { return shapes[b[0]] == shapes[i]; });
            if (same == list.end())
                list.push_back({i});
            else
                same->push_back(i);
        }
        return list;
    }
    DType compute() const { return options_.precision == "fp32" ? DType::f32 : DType::bf16; }
    Orthogonalize iteration() const {
        return {.x = {},
                .scratch = scratch_,
                .coefficients = set_.coefficients,
                .compute = compute(),
                .form = options_.form == "gram" ? Orthogonalize::Form::gram : Orthogonalize::Form::x,
                .norm_factor = set_.norm_factor,
                .epsilon = set_.epsilon};
    }

    Options options_;
    NewtonSchulzSet set_;
    std::vector<std::vector<std::size_t>> batches_;
    Tensor scratch_;
};

const Register<Geometry, Spectral> registered("spectral", "spectral norm: the nearest semi-orthogonal matrix");

}  // namespace

}  // namespace steepest
