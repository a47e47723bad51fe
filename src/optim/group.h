#pragma once
// One group of parameters and its pipeline:
//     gradient -> estimator -> precondition -> geometry -> refinement -> lengths and scaling -> update
#include "ops/averaging.h"
#include "optim/assign.h"
#include "optim/diagnostics.h"
#include "optim/optimizer.h"

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace steepest {

// What a group adds its inner products to, (1) f32 each; empty where nobody asked.
struct ProductSums {
    Tensor gradient_weight, estimate_weight, decrease;
    bool count_learning_rates = true;
};

// It does not move: stages, layouts and scalars point into it.
class Group {
public:
    Group(std::string name, const GroupConfig& config, const OptimizerConfig& optimizer, const StepSize& step_size,
          std::vector<Member> members, const OptimizerOptions& options);
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    const std::string& name() const { return name_; }
    double rate() const { return rate_; }
    OracleNeeds needs() const { return estimator_->needs(); }
    // Mean over steps.
    std::int64_t flops() const;
    void append_rows(std::vector<std::pair<int, AssignmentRow>>& rows) const;

    // Scratch that holds from estimates to updates, and scratch that another group may have in between.
    void plan_lasting(Layout& scratch);
    void plan(Layout& state, Layout& scratch, StepScalars& scalars);
    void bind(Device device, std::span<const Parameter> parameters, const StepGradients& gradients,
              const ProductSums& products, ConstTensor cut);

    // Kinds of steps, numbered from 0: the estimator's, the other branch, and the first step of an averaging.
    int variants() const { return estimator_->variants() * (config_.alternate ? 2 : 1) * (averages() ? 2 : 1); }
    int variant(std::int64_t step) const {
        int variant = estimator_->variant(step);
        if (config_.alternate) variant = 2 * variant + (takes_other_branch(step) ? 1 : 0);
        if (averages()) variant = 2 * variant + (step == 1 ? 1 : 0);
        return variant;
    }
    bool takes_other_branch(std::int64_t step) const {
        return config_.alternate && step % config_.alternate->every == 0;
    }
    void begin_step(std::int64_t step, std::int64_t total_steps);
    // Of the step last begun, if that measures.
    GroupDiagnosis diagnosis() const;
    // `first`: the first group to add to the products.
    void find_directions(bool first);
    void update_weights();

    void mark_members(std::vector<bool>& parameters) const {
        for (const Member& m : members_) parameters[static_cast<std::size_t>(m.index)] = true;
    }
    bool averages() const { return averaging_->averages(); }
    // The averages, to those of `to` (one a parameter of the table, f32 or bf16) that are this group's.
    void write_average(std::span<const Tensor> to);

private:
    // A geometry with what belongs to it: that of most steps, or the alternate one.
    struct Branch {
        Branch(const GroupConfig& config, const BranchConfig& own, double lr_scale, const std::string& group,
               std::string stage, std::span<const Member> members);

        double factor(const Shape& block) const;

        const BranchConfig& config;
        double peak;
        std::unique_ptr<Geometry> geometry;
        Binding binding;
        Scalars factors;
        WeightUpdate update{};
        AveragedUpdate averaged{};  // in its place, where there is an average
    };

    Branch& branch() { return branches_[other_branch_ ? 1 : 0]; }
    const Branch& branch() const { return branches_[other_branch_ ? 1 : 0]; }
    double rate_at(std::int64_t step) const;
    std::string formula() const;
    std::vector<Binding*> bindings();
    void plan_update(Branch& branch, std::span<const Parameter> parameters, ConstTensor ok, ConstTensor cut);
    void add_product(const Tensor& total, const TensorList& a, ConstTensor scale, bool first);
    void add_decrease(bool first);

    std::string name_;
    GroupConfig config_;
    ScheduleConfig schedule_;
    std::uint64_t seed_;
    bool measures_weights_, measures_decrease_;
    double rate_ = 0;
    bool other_branch_ = false;
    std::vector<Member> members_;
    std::unique_ptr<Estimator> estimator_;
    std::unique_ptr<Transform> gradient_, precondition_, refinement_;
    std::unique_ptr<Averaging> averaging_;
    std::deque<Branch> branches_;
    Binding gradient_binding_, estimator_binding_, precondition_binding_, refinement_binding_, averaging_binding_,
        update_binding_;
    Scalar learning_rate_, weight_decay_, one_;
    Tensor dual_, lengths_, dots_;
    TensorList weights_, fast_;
    Scalar next_mix_, share_;
    Tensor mix_;
    std::int64_t total_steps_ = 0;
    bool first_step_ = false;
    ProductSums products_;
    Diagnostics diagnostics_;
};

}  // namespace steepest
