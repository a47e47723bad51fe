// Rows, columns or both divided by their norms, as the rows and columns were before: before a spectral geometry this is
// MuonEq, arXiv:2603.28254, github.com/MaeChd/muon-eq; after it, Muon+.
//   U_ij / sqrt(sum_j U_ij^2 + epsilon), or over i, or both
#include "core/registry.h"
#include "ops/axis.h"
#include "optim/transform.h"

namespace steepest {

namespace {

class Equilibrate final : public Transform {
public:
    struct Options {
        std::string axes = "rows";
        float epsilon = 1e-8f;

        void fields(auto& f) {
            f("axes", axes, "what is divided by its norm; both: by that of the row and that of the column",
              OneOf{"rows", "columns", "both"});
            f("epsilon", epsilon, "added to a norm's square", Range<float>{.low = 0});
        }
    };
    explicit Equilibrate(Options options) : options_(std::move(options)) {}

    bool needs_matrices() const override { return true; }
    void prepare(Binding& binding) override {
        for (Sums& s : sums_)
            if (wants(s.axis)) binding.axis_scratch(s.axis == Axis::rows ? "rows" : "columns", s.axis, &s.list);
    }
    void apply(const Binding& binding) override {
        for (const Sums& s : sums_)
            if (wants(s.axis)) run(binding.device, AxisSquares{.sums = s.list, .x = binding.gradients, .axis = s.axis});
        for (const Sums& s : sums_)
            if (wants(s.axis))
                run(binding.device,
                    DivideByRoots{
                        .x = binding.gradients, .values = s.list, .axis = s.axis, .inside = options_.epsilon});
    }

private:
    struct Sums {
        Axis axis;
        TensorList list = {};
    };
    bool wants(Axis axis) const {
        return options_.axes == "both" || options_.axes == (axis == Axis::rows ? "rows" : "columns");
    }

    Options options_;
    Sums sums_[2] = {{Axis::rows}, {Axis::columns}};
};

const Register<Transform, Equilibrate> registered("equilibrate", "rows, columns or both divided by their norms");

}  // namespace

}  // namespace steepest
