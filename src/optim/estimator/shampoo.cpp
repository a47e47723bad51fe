// The gradient between inverse fourth roots of how its rows and its columns go together:
//   L = b L + w G G^T,  R = b R + w G^T G,  w = 1 - b, or 1 where b = 1;   U = L^(-1/4) G R^(-1/4)
// b = 1 is Shampoo, Gupta, Koren, Singer 2018, arXiv:1802.09568, algorithm 1; with averages it is mostly run. Roots are
// those of L + epsilon ||L||_F I by coupled Newton-Schulz (optim/roots.h), right for eigenvalues from 1e-6 ||L||_F on,
// so that epsilon is at least that. State: left (rows, rows), right (cols, cols). Scratch: seven times these, and the
// matrices.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "ops/multiply.h"
#include "ops/norm.h"
#include "optim/estimator.h"
#include "optim/roots.h"
#include "optim/sides.h"

namespace steepest {

namespace {

// L of the rows, or R of the columns.
class Side {
public:
    Side(std::string name, bool rows) : name_(std::move(name)), rows_(rows) {}

    std::vector<Shape> squares(const std::vector<Shape>& shapes) const {
        std::vector<Shape> list;
        for (const Shape& s : shapes) list.push_back(square(s));
        return list;
    }
    void prepare(Binding& binding) {
        const std::vector<Shape> list = squares(binding.shapes());
        binding.state(name_, &sum_, [this](const Shape& block) { return square(block); });
        binding.scratch(name_ + "/root", list, &root_);
        binding.scratch(name_ + "/inverse", list, &inverse_);
        binding.scratch(name_ + "/sums", &sums_, DType::f32, {static_cast<std::int64_t>(list.size())});
        binding.scratch(name_ + "/norms", &norms_, DType::f32, {static_cast<std::int64_t>(list.size())});
        roots_.prepare(binding, list);
    }
    void add(const Binding& binding, float decay) {
        run(binding.device, Multiply{.c = sum_,
                                     .a = binding.gradients,
                                     .b = binding.gradients,
                                     .d = sum_,
                                     .transpose_a = !rows_,
                                     .transpose_b = rows_,
                                     .symmetric = true,
                                     .alpha = decay == 1 ? 1 : 1 - decay,
                                     .beta = decay,
                                     .gate = binding.ok});
    }
    const TensorList& inverse_fourth_root(Device device, float epsilon) {
        run(device, SumOfSquares{.sums = sums_, .list = sum_});
        run(device, Copy{.to = root_, .from = sum_});
        run(device, Normalize{.x = root_, .sums = sums_});
        add_to_diagonal(device, root_, epsilon);
        roots_.replace(device, root_);
        roots_.replace(device, root_, inverse_);
        // Back to size: by the fourth root of the norm, which is the root of the sum's fourth root.
        for (int k = 0; k < 2; ++k) {
            TensorList each;
            for (std::int64_t i = 0; i < sums_.count(); ++i)
                each.emplace_back(sums_.as<float>() + i, DType::f32, Shape{1});
            run(device, SumOfRoots{.sums = norms_, .list = each});
            run(device, Copy{.to = {sums_}, .from = {norms_}});
        }
        run(device, Normalize{.x = inverse_, .sums = sums_});
        return inverse_;
    }

private:
    Shape square(const Shape& block) const {
        const std::int64_t side = rows_ ? block.rows() : block.cols();
        return {side, side};
    }
    std::string name_;
    bool rows_;
    TensorList sum_, root_, inverse_;
    Tensor sums_, norms_;
    SquareRoots roots_;
};

class Shampoo final : public Estimator {
public:
    struct Options {
        float decay = 1, epsilon = 1e-6f;

        void fields(auto& f) {
            f("decay", decay, "of the products of gradients: 1 adds them up, less averages them",
              Range<float>{.low = 0, .high = 1});
            f("epsilon", epsilon, "added to their eigenvalues, in units of their Frobenius norm",
              Range<float>{.low = 1e-6f});
        }
    };
    explicit Shampoo(Options options) : options_(options) {}

    bool needs_matrices() const override { return true; }
    void prepare(Binding& binding) override {
        left_.prepare(binding), right_.prepare(binding);
        binding.scratch("half", binding.shapes(), &half_);
    }
    void begin_step(std::int64_t) override {}
    void estimate(const Binding& binding) override {
        const Device device = binding.device;
        const TensorList& g = binding.gradients;
        run(device, DualEma{.u = g, .m = {}, .g = g, .gradient_scale = binding.gradient_scale, .b1 = {}, .b2 = {}});
        left_.add(binding, options_.decay), right_.add(binding, options_.decay);
        run(device, Multiply{.c = half_, .a = left_.inverse_fourth_root(device, options_.epsilon), .b = g});
        run(device, Multiply{.c = g, .a = half_, .b = right_.inverse_fourth_root(device, options_.epsilon)});
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        std::int64_t total =
            2 * SquareRoots::flops(left_.squares(shapes)) + 2 * SquareRoots::flops(right_.squares(shapes));
        for (const Shape& s : shapes) total += 4 * s.count() * (s.rows() + s.cols());
        return total;
    }

private:
    Options options_;
    Side left_{"left", true}, right_{"right", false};
    TensorList half_;
};

const Register<Estimator, Shampoo> registered("shampoo", "the gradient between inverse roots of its correlations");

}  // namespace

}  // namespace steepest
