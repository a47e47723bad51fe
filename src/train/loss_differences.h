#pragma once
// Gradients of losses alone: what two or more losses, with all weights moved along random directions, say of the
// gradient. Directions are drawn anew where they are needed, in the memory of the gradients, which also holds the moved
// weights: nothing of the weights' size is kept beside a bf16 copy of these.
//
//   blocks      D = 1 where a random row crosses a random column, and random elements of vectors:
//               s = (f(W + mu D) - f(W - mu D)) / (2 mu);   gradient s D
//               JAGUAR, Petrov et al. 2025, arXiv:2506.04430, with the blocks of its implementation
//   subspaces   D_q = P Psi_q, P of rank r as long as `every` says, Psi_q normal numbers; of vectors D_q is that:
//               s_q = (f(W + mu D_q) - f(W)) / mu;   gradient P mean(s_q Psi_q)
//               ZO-Muon, arXiv:2602.17155
//
// In f32 a loss has an error of 2^-24 of itself, which s has over mu. Rows that exist for alignment stay zero.
#include "core/scalars.h"
#include "optim/binding.h"
#include "optim/oracle_config.h"
#include "optim/orthonormal_rows.h"

#include <functional>
#include <span>
#include <vector>

namespace steepest {

class LossDifferences {
public:
    // `specs` must outlive it.
    LossDifferences(const ZerothOrderConfig& config, std::span<const ParamSpec> specs, std::uint64_t seed);
    LossDifferences(const LossDifferences&) = delete;
    LossDifferences& operator=(const LossDifferences&) = delete;

    // `copies` are the weights that the problem is given, for their dtypes.
    void plan(Layout& gradients, Layout& scratch, StepScalars& scalars, const TensorList& copies);
    void bind(Device device, const TensorList& masters, const TensorList& copies);
    void begin_step(std::int64_t step);

    // loss(weights, where): the mean loss of the step's batch at those weights.
    using Loss = std::function<void(const TensorList& weights, Tensor where)>;
    // Overwrites `into`, one f32 tensor a parameter; slope() times that is the gradient. loss_at gets a loss at the
    // weights, or beside them.
    void estimate(const TensorList& into, Tensor loss_at, const Loss& loss);
    // (1) f32, or nothing where it is 1.
    ConstTensor slope() const;
    int losses_per_step() const { return blocks() ? 2 : config_.queries + 1; }

private:
    bool blocks() const { return config_.directions == "blocks"; }
    bool is_matrix(std::size_t i) const { return members_[i].spec->shape.rank() == 2; }
    void draw_block(const TensorList& into) const;
    // into[i] = P psi[i], or psi[i] itself for vectors.
    void expand(const TensorList& into, const TensorList& psi) const;
    // The weights `distance` along the direction that `into` holds, in its memory or in copies; the direction is gone.
    const TensorList& moved(const TensorList& into, double distance);

    ZerothOrderConfig config_;
    std::vector<Member> members_;
    Binding binding_;
    OrthonormalRows orthonormal_;
    TensorList masters_, weights_;       // weights_ is what the problem is given at the weights themselves
    TensorList copies_, moved_;          // copies_[i] is empty where f32 is what the problem takes
    TensorList rows_, columns_;          // blocks: ones where a row, or a column, is chosen
    TensorList bases_, psi_, mean_psi_;  // subspaces: P^T of matrices; (r, cols) of these, vectors themselves
    Tensor slopes_, other_loss_;
    Scalar step_, period_;
};

}  // namespace steepest
