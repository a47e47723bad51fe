// Euclidean norm: the direction is the estimate divided by its norm, each tensor's own or that of the whole group.
// With all parameters in one group, scope group is normalised SGD: Cutkosky, Mehta 2020, arXiv:2002.03305.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "ops/norm.h"
#include "optim/geometry.h"

namespace steepest {

namespace {

class Frobenius final : public Geometry {
public:
    struct Options {
        std::string scope = "tensor";

        void fields(auto& f) {
            f("scope", scope, "what has norm 1: tensor: each tensor; group: all tensors of the group together",
              OneOf{"tensor", "group"});
        }
    };
    explicit Frobenius(Options options) : options_(std::move(options)) {}

    bool has_dual() const override { return options_.scope == "tensor"; }
    void prepare(Binding& binding) override {
        const bool whole = options_.scope == "group";
        const std::int64_t count = whole ? 1 : static_cast<std::int64_t>(binding.shapes().size());
        binding.scratch("sums", &sums_, DType::f32, Shape{count});
    }
    void direct(const Binding& binding) override {
        run(binding.device, SumOfSquares{.sums = sums_, .list = binding.gradients});
        run(binding.device, Normalize{.x = binding.gradients, .sums = sums_});
        if (!binding.dual) return;
        TensorList each;
        for (std::int64_t i = 0; i < sums_.count(); ++i) each.emplace_back(sums_.as<float>() + i, DType::f32, Shape{1});
        run(binding.device, SumOfRoots{.sums = binding.dual, .list = each});
    }

private:
    Options options_;
    Tensor sums_;
};

const Register<Geometry, Frobenius> registered("frobenius", "Euclidean norm: the estimate divided by its norm");

}  // namespace

}  // namespace steepest
