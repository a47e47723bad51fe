// Rows divided by the root of the moving average of their mean squares, then the whole back to the norm it had, or to a
// root mean square of 1: after a spectral geometry this is NorMuon.
//   V = b2 V + (1 - b2) mean_j D_ij^2;   D_ij / (sqrt(V_i) + epsilon);   D = D ||D before|| / ||D||
// Li et al. 2025, arXiv:2510.05491, github.com/zichongli5/NorMuon; the root mean square of 1 is the paper's form, with
// its 0.2 as the group's radius. State: v, one a row.
#include "core/registry.h"
#include "ops/axis.h"
#include "ops/norm.h"
#include "optim/transform.h"

namespace steepest {

namespace {

class RowMoments final : public Transform {
public:
    struct Options {
        float b2 = 0.95f, epsilon = 1e-10f;
        std::string size = "kept";

        void fields(auto& f) {
            f("b2", b2, "decay of the average of a row's mean square",
              Range<float>{.low = 0, .high = 1, .open_high = true});
            f("epsilon", epsilon, "added to its root", Range<float>{.low = 0});
            f("size", size,
              "of the direction in the end: kept: its Frobenius norm stays; unit: a root mean square of 1",
              OneOf{"kept", "unit"});
        }
    };
    explicit RowMoments(Options options) : options_(std::move(options)) {}

    bool needs_matrices() const override { return true; }
    void prepare(Binding& binding) override {
        const auto n = static_cast<std::int64_t>(binding.shapes().size());
        binding.row_state("v", &v_);
        binding.axis_scratch("rows", Axis::rows, &rows_);
        binding.scratch("sums", &sums_, DType::f32, {n});
        binding.scratch("kept", &kept_, DType::f32, {n});
        binding.scalar("b2", &b2_);
        binding.scalar("one", &one_);
        if (unit()) binding.scalars("counts", n, &counts_);
        shapes_ = binding.shapes();
    }
    void begin_step(std::int64_t) override {
        b2_.set(options_.b2), one_.set(1);
        if (unit())
            for (std::size_t i = 0; i < shapes_.size(); ++i) counts_.set(i, static_cast<double>(shapes_[i].count()));
    }
    void apply(const Binding& binding) override {
        const Device device = binding.device;
        if (!unit()) run(device, SumOfSquares{.sums = kept_, .list = binding.gradients});
        run(device, AxisSquares{.sums = rows_, .x = binding.gradients, .axis = Axis::rows, .mean = true});
        run(device, DualEma{.u = rows_,
                            .m = v_,
                            .g = rows_,
                            .gradient_scale = one_.tensor(),
                            .b1 = b2_.tensor(),
                            .b2 = b2_.tensor(),
                            .gate = binding.ok});
        run(device,
            DivideByRoots{.x = binding.gradients, .values = rows_, .axis = Axis::rows, .outside = options_.epsilon});
        run(device, SumOfSquares{.sums = sums_, .list = binding.gradients});
        run(device,
            Normalize{
                .x = binding.gradients, .sums = sums_, .targets = unit() ? counts_.tensor() : ConstTensor(kept_)});
    }

private:
    bool unit() const { return options_.size == "unit"; }

    Options options_;
    std::vector<Shape> shapes_;
    TensorList v_, rows_;
    Tensor sums_, kept_;
    Scalar b2_, one_;
    Scalars counts_;
};

const Register<Transform, RowMoments> registered("row_moments",
                                                 "rows over the root of their averaged squares, as NorMuon does");

}  // namespace

}  // namespace steepest
