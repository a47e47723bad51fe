#include "optim/group.h"

#include "core/error.h"
#include "ops/norm.h"
#include "ops/step_size.h"

namespace steepest {

namespace {

DualLengths::Form form_of(const std::string& length) {
    return length == "dual"         ? DualLengths::Form::own
           : length == "group_dual" ? DualLengths::Form::sum
                                    : DualLengths::Form::share;
}

}  // namespace

Group::Branch::Branch(const GroupConfig&, const BranchConfig& own, double lr_scale, const std::string& group,
                      std::string stage, std::span<const Member> members)
    : config(own),
      peak(lr_scale * own.learning_rate),
      geometry(own.geometry.make()),
      binding(group, std::move(stage), members) {
    geometry->prepare(binding);
    binding.scalars("factors", static_cast<std::int64_t>(binding.shapes().size()), &factors);
}

double Group::Branch::factor(const Shape& block) const { return config.radius * scaling_factor(config.scaling, block); }

Group::Group(std::string name, const GroupConfig& config, const OptimizerConfig& optimizer, const StepSize& step_size,
             std::vector<Member> members, const OptimizerOptions& options)
    : name_(std::move(name)),
      config_(config),
      schedule_(config.schedule.value_or(optimizer.schedule)),
      seed_(options.seed),
      measures_weights_(step_size.needs_weight_products()),
      measures_decrease_(step_size.decides()),
      members_(std::move(members)),
      estimator_(config.estimator.make()),
      gradient_(config.gradient.make()),
      precondition_(config.precondition.make()),
      refinement_(config.refinement.make()),
      averaging_(config.averaging.make()),
      gradient_binding_(name_, "gradient", members_),
      estimator_binding_(name_, "estimator", members_),
      precondition_binding_(name_, "precondition", members_),
      refinement_binding_(name_, "refinement", members_),
      averaging_binding_(name_, "averaging", members_),
      update_binding_(name_, "update", members_),
      diagnostics_(name_, members_, options.diagnostics) {
    branches_.emplace_back(config_, config_, optimizer.lr_scale, name_, "geometry", members_);
    if (config_.alternate)
        branches_.emplace_back(config_, *config_.alternate, optimizer.lr_scale, name_, "alternate", members_);
    gradient_->prepare(gradient_binding_);
    estimator_->prepare(estimator_binding_);
    precondition_->prepare(precondition_binding_);
    refinement_->prepare(refinement_binding_);
    update_binding_.scalar("learning_rate", &learning_rate_);
    update_binding_.scalar("weight_decay", &weight_decay_);
    update_binding_.scalar("one", &one_);

    const std::string where = "optimizer group \"" + name_ + "\": ";
    if (!gradient_->is_identity() && needs().second_gradient())
        throw InputError(where + "an estimator that corrects by a second gradient wants gradient \"none\"");
    if (averages()) {
        averaging_binding_.state("z", &fast_);
        averaging_binding_.number_state("mix", &mix_);
        averaging_binding_.scalar("next_mix", &next_mix_);
        averaging_binding_.scalar("share", &share_);
        if (config_.length != "unit" || measures_decrease_)
            throw InputError(where + "averaging \"" + config_.averaging.type() +
                             "\" wants length \"unit\" and step_size \"schedule\"");
    }
    if (config_.length == "unit" && !measures_decrease_) return;
    if (!precondition_->is_identity() || !refinement_->is_identity())
        throw InputError(where +
                         "lengths and step sizes that depend on inner products of estimate and direction want "
                         "precondition and refinement \"none\"");
    for (const Branch& b : branches_)
        if (!b.geometry->has_dual())
            throw InputError(where + "geometry \"" + b.config.geometry.type() +
                             "\" with these options has no dual norm of single tensors, which length and step_size "
                             "want");
}

std::vector<Binding*> Group::bindings() {
    std::vector<Binding*> list{&gradient_binding_,   &estimator_binding_, &precondition_binding_,
                               &refinement_binding_, &averaging_binding_, &update_binding_};
    for (Branch& b : branches_) list.push_back(&b.binding);
    return list;
}

std::int64_t Group::flops() const {
    const std::vector<Shape>& shapes = update_binding_.shapes();
    const std::int64_t others = gradient_->flops(shapes) + estimator_->flops(shapes) + precondition_->flops(shapes) +
                                refinement_->flops(shapes);
    const auto of = [&](const Branch& b) { return others + b.geometry->flops(shapes); };
    if (!config_.alternate) return of(branches_[0]);
    const std::int64_t every = config_.alternate->every;
    return (of(branches_[0]) * (every - 1) + of(branches_[1])) / every;
}

std::string Group::formula() const {
    std::string text = gradient_->is_identity() ? "" : config_.gradient.type() + " -> ";
    text += config_.estimator.type();
    if (!precondition_->is_identity()) text += " -> " + config_.precondition.type();
    text += " -> " + config_.geometry.type();
    if (config_.alternate)
        text += " (each " + std::to_string(config_.alternate->every) + ": " + config_.alternate->geometry.type() + ")";
    if (!refinement_->is_identity()) text += " -> " + config_.refinement.type();
    if (config_.length != "unit") text += " * " + config_.length;
    text += " -> " + config_.scaling;
    return averages() ? text + " -> " + config_.averaging.type() : text;
}

void Group::append_rows(std::vector<std::pair<int, AssignmentRow>>& rows) const {
    const Branch& main = branches_[0];
    for (const Member& m : members_) {
        const std::string blocks = m.blocks == 1 ? "" : std::to_string(m.blocks) + " x ";
        std::int64_t state = 0;
        for (const Binding* b : {&gradient_binding_, &estimator_binding_, &precondition_binding_, &refinement_binding_,
                                 &averaging_binding_, &update_binding_})
            state += b->state_bytes(m);
        for (const Branch& b : branches_) state += b.binding.state_bytes(m);
        rows.emplace_back(m.index, AssignmentRow{.parameter = m.spec->name,
                                                 .shape = blocks + to_string(m.block_shape()),
                                                 .group = name_,
                                                 .formula = formula(),
                                                 .learning_rate = main.peak,
                                                 .weight_decay = config_.weight_decay,
                                                 .scale = main.factor(m.block_shape()),
                                                 .state_bytes = state});
    }
}

void Group::plan_lasting(Layout& scratch) {
    const auto n = static_cast<std::int64_t>(update_binding_.shapes().size());
    if (config_.length != "unit") scratch.add(name_ + "/update/lengths", &lengths_, DType::f32, {n});
    if (measures_decrease_ || config_.length != "unit") scratch.add(name_ + "/update/dual", &dual_, DType::f32, {n});
    if (measures_weights_) scratch.add(name_ + "/update/dots", &dots_, DType::f32, {n});
    diagnostics_.plan_lasting(scratch);
}

void Group::plan(Layout& state, Layout& scratch, StepScalars& scalars) {
    for (Binding* b : bindings()) b->plan(state, scratch, scalars);
    diagnostics_.plan(state, scratch, scalars);
}

void Group::bind(Device device, std::span<const Parameter> parameters, const StepGradients& gradients,
                 const ProductSums& products, ConstTensor cut) {
    TensorList now, previous, first;
    weights_.clear();
    for (const Member& m : members_) {
        m.append_blocks(now, parameters[m.index].gradient);
        m.append_blocks(weights_, parameters[m.index].master);
        if (needs().second_gradient()) m.append_blocks(previous, gradients.previous[m.index]);
        if (!gradients.first_micro_batch.empty()) m.append_blocks(first, gradients.first_micro_batch[m.index]);
    }
    for (Binding* b : bindings()) {
        b->bind(device);
        b->gradients = now;
        b->seed = seed_;
        b->previous = previous;
        b->gradient_scale = gradients.scale;
        b->previous_scale = gradients.previous_scale;
        b->ok = gradients.ok;
    }
    // What is done to gradients is done to clipped ones.
    if (!gradient_->is_identity()) estimator_binding_.gradient_scale = one_.tensor();
    diagnostics_.bind(device, gradients.ok, std::move(first));
    products_ = products;
    if (const TensorList* average = estimator_->average(); dual_ && average && average->empty())
        throw InputError("optimizer group \"" + name_ +
                         "\": lengths and step sizes that depend on inner products want an estimator with an average");
    for (Branch& b : branches_) {
        if (!estimator_->average()) b.binding.dual = dual_;
        plan_update(b, parameters, gradients.ok, cut);
    }
}

void Group::plan_update(Branch& branch, std::span<const Parameter> parameters, ConstTensor ok, ConstTensor cut) {
    branch.update = {.weights = weights_,
                     .copies = {},
                     .directions = update_binding_.gradients,
                     .factors = {},
                     .learning_rate = learning_rate_.tensor(),
                     .weight_decay = weight_decay_.tensor(),
                     .lengths = lengths_,
                     .cut = cut,
                     .gate = ok};
    for (const Member& m : members_) {
        const Parameter& p = parameters[m.index];
        if (p.copy.data != p.master.data)
            m.append_blocks(branch.update.copies, p.copy);
        else
            branch.update.copies.insert(branch.update.copies.end(), m.blocks, Tensor{});
        branch.update.factors.insert(branch.update.factors.end(), m.blocks,
                                     static_cast<float>(branch.factor(m.block_shape())));
    }
    if (averages())
        branch.averaged = {.weights = weights_,
                           .fast = fast_,
                           .copies = branch.update.copies,
                           .directions = branch.update.directions,
                           .factors = branch.update.factors,
                           .learning_rate = learning_rate_.tensor(),
                           .weight_decay = weight_decay_.tensor(),
                           .mix = mix_,
                           .next_mix = next_mix_.tensor(),
                           .share = share_.tensor(),
                           .decay_fast = averaging_->decays_fast_point(),
                           .gate = ok};
}

// The learning rate of most steps, which averages are weighted by.
double Group::rate_at(std::int64_t step) const {
    return branches_[0].peak * schedule_factor(schedule_, step, total_steps_);
}

void Group::begin_step(std::int64_t step, std::int64_t total_steps) {
    other_branch_ = takes_other_branch(step);
    rate_ = branch().peak * schedule_factor(schedule_, step, total_steps);
    learning_rate_.set(rate_);
    weight_decay_.set(config_.weight_decay), one_.set(1);
    if (averages()) {
        total_steps_ = total_steps, first_step_ = step == 1;
        const auto rate = [this](std::int64_t s) { return rate_at(s); };
        share_.set(averaging_->share(step, rate));
        next_mix_.set(averaging_->mix(step + 1));
    }
    diagnostics_.begin_step(step);
    gradient_->begin_step(step);
    estimator_->begin_step(step);
    precondition_->begin_step(step);
    refinement_->begin_step(step);
    for (Branch& b : branches_) b.geometry->begin_step(step);
    for (Branch& b : branches_)
        for (std::size_t i = 0; i < b.binding.shapes().size(); ++i) b.factors.set(i, b.factor(b.binding.shapes()[i]));
}

void Group::add_product(const Tensor& total, const TensorList& a, ConstTensor scale, bool first) {
    run(update_binding_.device, Dot{.sums = dots_, .a = a, .b = weights_});
    run(update_binding_.device, SumOfProducts{.total = total, .a = dots_, .scale = scale, .accumulate = !first});
}

void Group::find_directions(bool first) {
    Branch& now = branch();
    const Device device = update_binding_.device;
    const TensorList& u = update_binding_.gradients;
    if (measures_weights_) add_product(products_.gradient_weight, u, update_binding_.gradient_scale, first);
    if (diagnostics_.measures()) diagnostics_.see_gradients(u);
    if (!gradient_->is_identity()) {
        run(device,
            DualEma{.u = u, .m = {}, .g = u, .gradient_scale = gradient_binding_.gradient_scale, .b1 = {}, .b2 = {}});
        gradient_->apply(gradient_binding_);
    }
    estimator_->estimate(estimator_binding_);
    const TensorList* average = estimator_->average();
    if (measures_weights_) add_product(products_.estimate_weight, average ? *average : u, {}, first);
    precondition_->apply(precondition_binding_);
    if (diagnostics_.measures()) diagnostics_.see_estimates(u);
    now.geometry->direct(now.binding);
    refinement_->apply(refinement_binding_);
    if (diagnostics_.measures()) diagnostics_.see_directions(u, weights_);
    if (diagnostics_.keeps()) diagnostics_.keep_directions(u);
    if (dual_ && average) run(device, Dot{.sums = dual_, .a = *average, .b = u});
    if (lengths_) run(device, DualLengths{.lengths = lengths_, .d = dual_, .form = form_of(config_.length)});
    if (measures_decrease_)
        run(device, SumOfProducts{.total = products_.decrease,
                                  .a = dual_,
                                  .b = now.factors.tensor(),
                                  .c = lengths_,
                                  .scale = products_.count_learning_rates ? learning_rate_.tensor() : ConstTensor{},
                                  .accumulate = !first});
}

void Group::update_weights() {
    const Device device = update_binding_.device;
    if (!averages()) return run(device, branch().update);
    // What the state's mix becomes; an op's inputs are const to those who plan it, and here they are a list.
    const ConstTensor next = next_mix_.tensor();
    const TensorList next_mix{Tensor(const_cast<void*>(next.data), next.dtype, next.shape)};
    if (first_step_) {  // all three points are the initial weights, so any mix describes them
        run(device, Copy{.to = fast_, .from = weights_});
        run(device, Copy{.to = {mix_}, .from = next_mix});
    }
    run(device, branch().averaged);
    run(device, Copy{.to = {mix_}, .from = next_mix, .gate = averaging_binding_.ok});
}

GroupDiagnosis Group::diagnosis() const {
    Diagnostics::Use use{.rate = rate_, .factors = {}, .lengths = lengths_, .cut = branch().update.cut};
    for (const Shape& block : update_binding_.shapes()) use.factors.push_back(branch().factor(block));
    return diagnostics_.read(use);
}

void Group::write_average(std::span<const Tensor> to) {
    AveragePoint op{.to = {}, .y = weights_, .z = fast_, .mix = mix_};
    for (const Member& m : members_) m.append_blocks(op.to, to[static_cast<std::size_t>(m.index)]);
    run(update_binding_.device, op);
}

}  // namespace steepest
