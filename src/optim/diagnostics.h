#pragma once
// Diagnostics: what a step looks like from the point of view of its norms, measured now and then, one object a group.
// With `every` 0 nothing is planned and nothing is run.
#include "optim/binding.h"
#include "optim/polar.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace steepest {

struct DiagnosticsOptions {
    std::int64_t every = 0;          // steps whose number it divides are measured; 0: never
    std::int64_t micro_batches = 1;  // in a rank's part of a step

    bool measures(std::int64_t step) const { return every > 0 && step % every == 0; }
    // The step before a measured one, whose directions are kept to compare with.
    bool keeps(std::int64_t step) const { return measures(step + 1); }
    // Noise is what gradients of micro-batches differ in.
    bool sees_noise() const { return micro_batches > 1; }
};

// Of one group in one step; what does not apply is not there, and what could not be known is not a number. G gradients,
// W weights before the step, U estimates as the geometry gets them, D directions before lengths and scaling; sums and
// means are over the tensors of the group, those with matrices in them over its matrices.
//
//   update_rms         root mean square of what the step subtracts from W, weight decay not included
//   weight_rms         of W
//   update_to_weight   their ratio
//   dual_norm          sum of <U, D>
//   dual_to_nuclear    sum of <U, D> over sum of ||U||_*, of matrices: 1 where D is the polar factor
//   singular_min, singular_max
//                      the smallest and largest singular value of any matrix's D, from 32 steps of Lanczos on its Gram
//                      matrix: the ends of a shorter side up to that; of a longer one within the true range, and close
//                      to its ends where these are apart from the rest. Rounding hides what is under 3e-4 of the
//                      largest
//   orthogonality_error
//                      root mean square of the eigenvalues of D D^T - I, D taken wide; rounding alone makes it 3e-4
//   gradient_rank      mean of (||G||_* / ||G||_F)^2: 1 for rank one, the number of rows or columns for orthogonal ones
//   gradient_density   (sum |G|)^2 / (n sum G^2) over all n elements: 2/pi for Gaussian ones, near 0 for sparse ones
//   noise_density      the same of what the first micro-batch's gradient differs in from the step's
//   cosine             mean of the cosines between D and the step before's; not a number after a bad step
//
// Nuclear norms are <X, polar factor of X>, see polar.h: too small by at most 3.5e-6 ||X||_F a singular value.
struct GroupDiagnosis {
    std::string group;
    std::vector<std::pair<std::string, double>> values;
};

// It does not move: layouts and scalars point into it.
class Diagnostics {
public:
    Diagnostics(const std::string& group, std::span<const Member> members, DiagnosticsOptions options);
    Diagnostics(const Diagnostics&) = delete;
    Diagnostics& operator=(const Diagnostics&) = delete;

    // As of Group.
    void plan_lasting(Layout& scratch);
    void plan(Layout& state, Layout& scratch, StepScalars& scalars);
    // `first`: the gradients of the first micro-batch; they are overwritten. Empty unless noise can be seen.
    void bind(Device device, ConstTensor ok, TensorList first);

    void begin_step(std::int64_t step);
    bool measures() const { return options_.measures(step_); }
    bool keeps() const { return options_.keeps(step_); }

    // In the order of a step that measures, and keep_directions() in one that keeps.
    void see_gradients(const TensorList& gradients);
    void see_estimates(const TensorList& estimates);
    void see_directions(const TensorList& directions, const TensorList& weights);
    void keep_directions(const TensorList& directions);

    // How the update used the directions: subtracted were rate * cut * factors[i] * lengths[i] * D.
    struct Use {
        double rate;
        std::vector<double> factors;
        ConstTensor lengths, cut;  // empty: ones
    };
    // Waits for the device.
    GroupDiagnosis read(const Use& use) const;

private:
    static constexpr int kLanczosSteps = 32;
    // Rows of readings: one number a tensor, or one a matrix.
    enum Row {
        gradient_squares,
        gradient_sizes,
        gradient_nuclear,
        noise_squares,
        noise_sizes,
        estimate_nuclear,
        inner,
        direction_squares,
        weight_squares,
        previous_inner,
        previous_squares,
        gram_squares,
        diagonals,  // of Lanczos, as many rows as steps, and so many again
        others = diagonals + kLanczosSteps,
        row_count = others + kLanczosSteps
    };

    std::int64_t tensors() const { return static_cast<std::int64_t>(binding_.shapes().size()); }
    std::int64_t matrices() const { return static_cast<std::int64_t>(matrices_.size()); }
    Tensor row(int row, std::int64_t count) const;
    Tensor of_tensors(int r) const { return row(r, tensors()); }
    Tensor of_matrices(int r) const { return row(r, matrices()); }
    TensorList only_matrices(const TensorList& all) const;
    void sum_sizes(const TensorList& x, Row squares, Row sizes);
    void nuclear_norms(const TensorList& all, Row to);
    void singular_values(const TensorList& directions);

    std::string group_;
    DiagnosticsOptions options_;
    Binding binding_;
    std::vector<std::size_t> matrices_;  // which tensors are matrices
    std::vector<Shape> grams_;
    std::int64_t step_ = 0;
    Tensor readings_, previous_step_, start_, kept_step_;
    Polar polar_;
    TensorList first_, kept_, estimates_, work_, gram_, lanczos_, parts_;
    Scalar one_, noise_scale_, step_number_;
};

}  // namespace steepest
