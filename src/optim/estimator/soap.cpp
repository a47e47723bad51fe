// Adam in the eigenbasis of Shampoo's factors:
//   G' = Q_L^T G Q_R;   U = Q_L adam(G') Q_R^T;   L = b L + (1 - b) G G^T,  R = b R + (1 - b) G^T G
// and then, every `every` steps, Q = the orthonormal basis that QR makes of one power iteration L Q, whose columns were
// put in descending order of the eigenvalues that they stand for, second moments with them; the average of G is taken
// out of the old basis and into the new one. The first step only makes L, R and Q, their eigenvectors, and has
// direction zero: U never depends on a basis that has seen this step's gradient. Vyas et al. 2024, arXiv:2409.11321,
// algorithm 3; github.com/nikhilvyas/SOAP.
//
// As there, sides longer than largest_side keep the identity. epsilon is Adam's, added to the corrected root. After a
// bad first step the basis is the identity until it turns with the next refresh. State: m, v, and for each side that
// turns its average and Q^T, (side, side) each. Scratch: two matrices, the longer side's square twice and what
// Eigenvectors wants.
#include "core/registry.h"
#include "ops/elementwise.h"
#include "ops/multiply.h"
#include "ops/order.h"
#include "optim/eigenvectors.h"
#include "optim/estimator.h"
#include "optim/orthonormal_rows.h"

#include <cmath>

namespace steepest {

namespace {

// L and Q_L^T of those matrices whose rows are turned, or R and Q_R^T of those whose columns are. Lists have one
// tensor a matrix, empty ones where the side stays.
class Side {
public:
    Side(std::string name, bool rows) : name_(std::move(name)), rows_(rows) {}

    void prepare(Binding& binding, std::int64_t largest) {
        const auto square = [this, largest](const Shape& block) {
            const std::int64_t side = rows_ ? block.rows() : block.cols();
            return side > largest ? Shape{0, 0} : Shape{side, side};
        };
        std::vector<Shape> lines, turning;
        for (const Shape& s : binding.shapes()) {
            squares_.push_back(square(s)), lines.push_back({squares_.back()[0]});
            if (lines.back()[0] > 0) turning.push_back(squares_.back());
        }
        binding.state(name_ + "/average", &average_, square);
        binding.state(name_ + "/basis", &basis_, square);
        binding.scratch(name_ + "/next", squares_, &next_);
        binding.scratch(name_ + "/product", squares_, &product_);
        binding.scratch(name_ + "/ranks", lines, &ranks_);
        binding.scratch(name_ + "/keys", lines, &keys_);
        orthonormal_.prepare(binding, name_ + "/parts", turning);
        eigenvectors_.prepare(binding, name_ + "/eigenvectors", turning);
    }
    bool turns(std::size_t i) const { return squares_[i][0] > 0; }

    void add(const Binding& binding, float decay) const {
        Multiply op{.c = {},
                    .a = {},
                    .b = {},
                    .d = {},
                    .transpose_a = !rows_,
                    .transpose_b = rows_,
                    .symmetric = true,
                    .alpha = 1 - decay,
                    .beta = decay,
                    .gate = binding.ok};
        for (std::size_t i = 0; i < squares_.size(); ++i) {
            if (!turns(i)) continue;
            op.c.push_back(average_[i]), op.d.push_back(average_[i]);
            op.a.push_back(binding.gradients[i]), op.b.push_back(binding.gradients[i]);
        }
        run_if_any(binding.device, op);
    }
    // The average's eigenvectors; in a bad step, whose average is zero, the identity.
    void start(Device device) const {
        const Turning all = turning();
        if (!all.basis.empty()) eigenvectors_.find(device, all.basis, all.average);
    }
    // The basis after this step, to next(), and the order its vectors' forerunners were put in, to ranks().
    void find_next(Device device) const {
        const Turning all = turning();
        if (all.basis.empty()) return;
        run(device, Multiply{.c = all.product, .a = all.basis, .b = all.average});
        run(device, RowRanks{.ranks = all.ranks, .keys = all.keys, .x = all.product, .y = all.basis});
        run(device,
            Permute{.to = all.next, .from = all.product, .rows = all.ranks, .columns = TensorList(all.ranks.size())});
        orthonormal_.replace(device, all.next);
    }
    void take_next(const Binding& binding) const {
        const Turning all = turning();
        if (!all.basis.empty()) run(binding.device, Copy{.to = all.basis, .from = all.next, .gate = binding.ok});
    }
    const TensorList& basis() const { return basis_; }
    const TensorList& next() const { return next_; }
    Tensor ranks(std::size_t i) const { return turns(i) ? ranks_[i] : Tensor{}; }

    static void run_if_any(Device device, const Multiply& op) {
        if (!op.c.empty()) run(device, op);
    }

private:
    // The lists of those that turn.
    struct Turning {
        TensorList average, basis, next, product, ranks, keys;
    };
    Turning turning() const {
        Turning all;
        for (std::size_t i = 0; i < squares_.size(); ++i) {
            if (!turns(i)) continue;
            all.average.push_back(average_[i]), all.basis.push_back(basis_[i]), all.next.push_back(next_[i]);
            all.product.push_back(product_[i]), all.ranks.push_back(ranks_[i]), all.keys.push_back(keys_[i]);
        }
        return all;
    }

    std::string name_;
    bool rows_;
    std::vector<Shape> squares_;
    TensorList average_, basis_, next_, product_, ranks_, keys_;
    OrthonormalRows orthonormal_;
    Eigenvectors eigenvectors_;
};

class Soap final : public Estimator {
public:
    struct Options {
        float b1 = 0.95f, b2 = 0.95f, epsilon = 1e-8f;
        int every = 10;
        std::int64_t largest_side = 10000;

        void fields(auto& f) {
            const Range<float> decay{.low = 0, .high = 1, .open_high = true};
            f("b1", b1, "decay of the average of gradients", decay);
            f("b2", b2, "decay of the averages of squared gradients in the basis, and of the products that make it",
              decay);
            f("epsilon", epsilon, "added to the root of the average square, in units of the gradient",
              Range<float>{.low = 0, .open_low = true});
            f("every", every, "steps after which the basis is made anew", Range<int>{.low = 1});
            f("largest_side", largest_side, "longer ones keep their own basis", Range<std::int64_t>{.low = 0});
        }
    };
    explicit Soap(Options options) : options_(options) {}

    bool needs_matrices() const override { return true; }
    int variants() const override { return 3; }
    int variant(std::int64_t step) const override { return step == 1 ? 1 : (step - 1) % options_.every == 0 ? 2 : 0; }
    void prepare(Binding& binding) override {
        binding.state("m", &m_), binding.state("v", &v_);
        left_.prepare(binding, options_.largest_side), right_.prepare(binding, options_.largest_side);
        binding.scratch("half", binding.shapes(), &half_);
        binding.scratch("turned", binding.shapes(), &turned_);
        binding.scalar("b1", &b1_), binding.scalar("b2", &b2_);
        binding.scalar("m_correction", &m_correction_), binding.scalar("v_correction", &v_correction_);
        binding.scalar("one", &one_);
    }
    void begin_step(std::int64_t step) override {
        variant_ = variant(step);
        // The first step takes no part in the averages.
        const auto correction = [step](float decay) {
            return step == 1 ? 1 : 1 / (1 - std::pow(static_cast<double>(decay), static_cast<double>(step - 1)));
        };
        b1_.set(options_.b1), b2_.set(options_.b2), one_.set(1);
        m_correction_.set(correction(options_.b1)), v_correction_.set(correction(options_.b2));
    }
    void estimate(const Binding& binding) override {
        const Device device = binding.device;
        const TensorList& g = binding.gradients;
        run(device, DualEma{.u = g, .m = {}, .g = g, .gradient_scale = binding.gradient_scale, .b1 = {}, .b2 = {}});
        left_.add(binding, options_.b2), right_.add(binding, options_.b2);
        if (variant_ == 1) {
            left_.start(device), right_.start(device);
            return run(device, AddScaled{.x = g, .y = g, .a = 0, .b = 0});
        }
        turn(device, turned_, g, left_.basis(), right_.basis(), Direction::into_basis);
        run(device, AdamEstimate{.u = turned_,
                                 .m = m_,
                                 .v = v_,
                                 .g = turned_,
                                 .gradient_scale = one_.tensor(),
                                 .b1 = b1_.tensor(),
                                 .b2 = b2_.tensor(),
                                 .m_correction = m_correction_.tensor(),
                                 .v_correction = v_correction_.tensor(),
                                 .gate = binding.ok,
                                 .epsilon = options_.epsilon});
        turn(device, g, turned_, left_.basis(), right_.basis(), Direction::out_of_basis);
        if (variant_ == 2) refresh(binding);
    }
    std::int64_t flops(const std::vector<Shape>& shapes) const override {
        std::int64_t each = 0, refresh = 0;
        for (const Shape& s : shapes)
            for (const std::int64_t side : {s.rows(), s.cols()}) {
                if (side > options_.largest_side) continue;
                each += 6 * s.count() * side;  // of averages, into the basis and out of it
                refresh += 4 * s.count() * side + 2 * side * side * side + OrthonormalRows::flops({Shape{side, side}});
            }
        return each + refresh / options_.every;
    }

private:
    enum class Direction { into_basis, out_of_basis };

    // to[i] = Q_L^T from[i] Q_R of the bases whose transposes these are, or, out of them, Q_L from[i] Q_R^T. `to` is
    // neither `from` nor half_, which is written to.
    void turn(Device device, const TensorList& to, const TensorList& from, const TensorList& left,
              const TensorList& right, Direction direction, ConstTensor gate = {}) const {
        const bool out = direction == Direction::out_of_basis;
        Multiply by_left{.c = {}, .a = {}, .b = {}, .transpose_a = out, .gate = gate},
            by_right{.c = {}, .a = {}, .b = {}, .transpose_b = !out, .gate = gate};
        Copy unturned{.to = {}, .from = {}, .gate = gate};
        for (std::size_t i = 0; i < to.size(); ++i) {
            const bool turns_left = left_.turns(i), turns_right = right_.turns(i);
            const Tensor& turned = turns_left && turns_right ? half_[i] : turns_left ? to[i] : from[i];
            if (turns_left) by_left.c.push_back(turned), by_left.a.push_back(left[i]), by_left.b.push_back(from[i]);
            if (turns_right) by_right.c.push_back(to[i]), by_right.a.push_back(turned), by_right.b.push_back(right[i]);
            if (!turns_left && !turns_right) unturned.to.push_back(to[i]), unturned.from.push_back(from[i]);
        }
        Side::run_if_any(device, by_left), Side::run_if_any(device, by_right);
        if (!unturned.to.empty()) run(device, unturned);
    }
    void refresh(const Binding& binding) const {
        const Device device = binding.device;
        left_.find_next(device), right_.find_next(device);
        turn(device, turned_, m_, left_.basis(), right_.basis(), Direction::out_of_basis);
        turn(device, m_, turned_, left_.next(), right_.next(), Direction::into_basis, binding.ok);
        Permute sorted{.to = turned_, .from = v_, .rows = {}, .columns = {}};
        for (std::size_t i = 0; i < v_.size(); ++i)
            sorted.rows.push_back(left_.ranks(i)), sorted.columns.push_back(right_.ranks(i));
        run(device, sorted);
        run(device, Copy{.to = v_, .from = turned_, .gate = binding.ok});
        left_.take_next(binding), right_.take_next(binding);
    }

    Options options_;
    Side left_{"left", true}, right_{"right", false};
    TensorList m_, v_, half_, turned_;
    Scalar b1_, b2_, m_correction_, v_correction_, one_;
    int variant_ = 0;
};

const Register<Estimator, Soap> registered("soap", "Adam in the eigenbasis of Shampoo's factors");

}  // namespace

}  // namespace steepest
