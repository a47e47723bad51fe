// Powers of singular values between the estimate itself and its polar factor: U S^p V^T with p = 2^-halvings, which is
// HTMuon, arXiv:2603.10067, github.com/TDCSZ327/HTmuon (p = 1/8). Up to its length it is steepest descent under the
// Schatten norm of exponent 1 + 1/p. With P = U V^T and H = X P^T = U S U^T, by coupled Newton-Schulz (optim/roots.h):
//   D = ||H||^p (H / ||H|| + 1e-6 I)^p P
// The identity keeps eigenvalues that rounding makes negative from growing. Singular values s of at least 1e-4 ||U||_F
// are right to p 1e-6 ||U||_F / s, but for rounding. State: none; scratch: the matrices, and six times the squares of
// their shorter sides.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "ops/norm.h"
#include "optim/geometry.h"
#include "optim/polar.h"
#include "optim/roots.h"
#include "optim/sides.h"

namespace steepest {

namespace {

constexpr float kShift = 1e-6f;

class SchattenPower final : public Geometry {
public:
    struct Options {
        int halvings = 3;

        void fields(auto& f) {
            f("halvings", halvings, "the power is 2 to minus this: 0 is the estimate itself, many the polar factor",
              Range<int>{0, 10});
        }
    };
    explicit SchattenPower(Options options) : options_(options) {}

    bool needs_matrices() const override { return true; }
    bool has_dual() const override { return false; }

    void prepare(Binding& binding) override {
        const std::vector<Shape>& shapes = binding.shapes();
        const auto n = static_cast<std::int64_t>(shapes.size());
        binding.scratch("factor", shapes, &polar_);
        binding.scratch("power", side_shapes(shapes), &power_);
        binding.scratch("sums", &sums_, DType::f32, {n});
        binding.scratch("lengths", &lengths_, DType::f32, {n});
        newton_schulz_.prepare(binding, "newton_schulz", shapes);
        roots_.prepare(binding, side_shapes(shapes));
    }
    void direct(const Binding& binding) override {
        const Device device = binding.device;
        const TensorList& x = binding.gradients;
        run(device, Copy{.to = polar_, .from = x});
        newton_schulz_.replace(device, polar_);
        multiply(device, SideProduct{.h = power_, .x = x, .y = polar_});
        run(device, SumOfSquares{.sums = sums_, .list = power_});
        run(device, Normalize{.x = power_, .sums = sums_});
        add_to_diagonal(device, power_, kShift);
        take_root_of_sums(device);  // the norm
        for (int k = 0; k < options_.halvings; ++k) {
            roots_.replace(device, power_);
            take_root_of_sums(device);
        }
        multiply(device, SideApplication{.z = x, .h = power_, .x = polar_});
        run(device, AddScaled{.x = x, .y = x, .a = 0, .factors = lengths_});
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        return newton_schulz_.flops(shapes) + options_.halvings * SquareRoots::flops(side_shapes(shapes)) +
               2 * side_flops(shapes);
    }

private:
    void take_root_of_sums(Device device) {
        TensorList each;
        for (std::int64_t i = 0; i < sums_.count(); ++i) each.emplace_back(sums_.as<float>() + i, DType::f32, Shape{1});
        run(device, SumOfRoots{.sums = lengths_, .list = each});
        run(device, Copy{.to = {sums_}, .from = {lengths_}});
    }

    Options options_;
    TensorList polar_, power_;
    Tensor sums_, lengths_;
    Polar newton_schulz_;
    SquareRoots roots_;
};

const Register<Geometry, SchattenPower> registered("schatten_power", "a power of the singular values, as HTMuon takes");

}  // namespace

}  // namespace steepest
