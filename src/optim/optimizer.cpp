#include "optim/optimizer.h"

#include "core/error.h"
#include "ops/elementwise.h"
#include "optim/assign.h"

#include <algorithm>
#include <deque>

namespace steepest {

namespace {

// One group and its pipeline. It does not move: stages, layouts and scalars point into it.
class Group {
public:
    Group(std::string name, const GroupConfig& config, const ScheduleConfig& schedule, double lr_scale,
          std::vector<Member> members)
        : name_(std::move(name)),
          config_(config),
          schedule_(config.schedule.value_or(schedule)),
          peak_(lr_scale * config.learning_rate),
          members_(std::move(members)),
          estimator_(config.estimator.make()),
          geometry_(config.geometry.make()),
          estimator_binding_(name_, "estimator", members_),
          geometry_binding_(name_, "geometry", members_),
          update_binding_(name_, "update", members_) {
        estimator_->prepare(estimator_binding_);
        geometry_->prepare(geometry_binding_);
        update_binding_.scalar("learning_rate", &learning_rate_);
        update_binding_.scalar("weight_decay", &weight_decay_);
    }
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    const std::string& name() const { return name_; }
    double rate() const { return rate_; }
    OracleNeeds needs() const { return estimator_->needs(); }
    std::int64_t flops() const { return geometry_->flops(geometry_binding_.shapes()); }

    void append_rows(std::vector<std::pair<int, AssignmentRow>>& rows) const {
        const std::string formula =
            config_.estimator.type() + " -> " + config_.geometry.type() + " -> " + config_.scaling;
        for (const Member& m : members_) {
            const std::string blocks = m.blocks == 1 ? "" : std::to_string(m.blocks) + " x ";
            rows.emplace_back(m.index, AssignmentRow{.parameter = m.spec->name,
                                                     .shape = blocks + to_string(m.block_shape()),
                                                     .group = name_,
                                                     .formula = formula,
                                                     .learning_rate = peak_,
                                                     .weight_decay = config_.weight_decay,
                                                     .scale = scaling_factor(config_.scaling, m.block_shape()),
                                                     .state_bytes = estimator_binding_.state_bytes(*m.spec) +
                                                                    geometry_binding_.state_bytes(*m.spec)});
        }
    }

    void plan(Layout& state, Layout& scratch, StepScalars& scalars) {
        for (Binding* b : {&estimator_binding_, &geometry_binding_, &update_binding_}) b->plan(state, scratch, scalars);
    }
    void bind(Device device, std::span<const Parameter> parameters, const StepGradients& gradients) {
        TensorList now, previous;
        for (const Member& m : members_) {
            m.append_blocks(now, parameters[m.index].gradient);
            if (needs().previous_weights_gradient) m.append_blocks(previous, gradients.previous[m.index]);
        }
        for (Binding* b : {&estimator_binding_, &geometry_binding_, &update_binding_}) {
            b->bind(device);
            b->gradients = now;
            b->previous = previous;
            b->gradient_scale = gradients.scale;
            b->previous_scale = gradients.previous_scale;
            b->ok = gradients.ok;
        }
        plan_updates(parameters, gradients.ok);
    }

    void begin_step(std::int64_t step, std::int64_t total_steps) {
        rate_ = peak_ * schedule_factor(schedule_, step, total_steps);
        learning_rate_.set(rate_);
        weight_decay_.set(config_.weight_decay);
        estimator_->begin_step(step);
    }
    void find_directions() {
        estimator_->estimate(estimator_binding_);
        geometry_->direct(geometry_binding_);
    }
    void update_weights() {
        for (const WeightUpdate& update : updates_) run(update_binding_.device, update);
    }

private:
    // One op for the weights, and one more where some of them have copies of another dtype and some have not.
    void plan_updates(std::span<const Parameter> parameters, ConstTensor ok) {
        updates_.clear();
        for (const bool copied : {false, true}) {
            WeightUpdate update{.weights = {},
                                .copies = {},
                                .directions = {},
                                .factors = {},
                                .learning_rate = learning_rate_.tensor(),
                                .weight_decay = weight_decay_.tensor(),
                                .gate = ok};
            for (const Member& m : members_) {
                const Parameter& p = parameters[m.index];
                if ((p.copy.data != p.master.data) != copied) continue;
                update.weights.push_back(p.master);
                if (copied) update.copies.push_back(p.copy);
                update.directions.push_back(p.gradient);
                update.factors.push_back(static_cast<float>(scaling_factor(config_.scaling, m.block_shape())));
            }
            if (!update.weights.empty()) updates_.push_back(std::move(update));
        }
    }

    std::string name_;
    GroupConfig config_;
    ScheduleConfig schedule_;
    double peak_, rate_ = 0;
    std::vector<Member> members_;
    std::unique_ptr<Estimator> estimator_;
    std::unique_ptr<Geometry> geometry_;
    Binding estimator_binding_, geometry_binding_, update_binding_;
    Scalar learning_rate_, weight_decay_;
    std::vector<WeightUpdate> updates_;
};

}  // namespace

struct Optimizer::Impl {
    std::vector<ParamSpec> specs;
    std::deque<Group> groups;
};

Optimizer::Optimizer(const OptimizerConfig& config, std::span<const ParamSpec> specs)
    : impl_(std::make_unique<Impl>(Impl{{specs.begin(), specs.end()}, {}})) {
    config.check([](const std::string& pointer, const std::string& message) {
        throw InputError("optimizer: " + pointer + ": " + message);
    });
    auto members = assign(config, impl_->specs);
    for (const auto& [name, group] : config.groups)
        impl_->groups.emplace_back(name, group, config.schedule, config.lr_scale, std::move(members[name]));
}

Optimizer::~Optimizer() = default;

OracleNeeds Optimizer::needs() const {
    OracleNeeds all;
    for (const Group& g : impl_->groups) all.previous_weights_gradient |= g.needs().previous_weights_gradient;
    return all;
}

std::vector<AssignmentRow> Optimizer::assignments() const {
    std::vector<std::pair<int, AssignmentRow>> rows;
    for (const Group& g : impl_->groups) g.append_rows(rows);
    std::ranges::sort(rows, {}, &std::pair<int, AssignmentRow>::first);
    std::vector<AssignmentRow> table;
    for (auto& [index, row] : rows) table.push_back(std::move(row));
    return table;
}

std::int64_t Optimizer::flops_per_step() const {
    std::int64_t total = 0;
    for (const Group& g : impl_->groups) total += g.flops();
    return total;
}

void Optimizer::plan(Layout& state, Layout& scratch, StepScalars& scalars) {
    // Groups run one after another, so they share their scratch.
    const std::int64_t begin = scratch.mark();
    std::int64_t end = begin;
    for (Group& g : impl_->groups) {
        scratch.rewind(begin);
        g.plan(state, scratch, scalars);
        end = std::max(end, scratch.mark());
    }
    scratch.rewind(end);
}

void Optimizer::bind(Device device, std::span<const Parameter> parameters, const StepGradients& gradients) {
    if (parameters.size() != impl_->specs.size())
        throw std::invalid_argument("Optimizer::bind: not the parameters it was made for");
    if (needs().previous_weights_gradient && gradients.previous.size() != parameters.size())
        throw std::invalid_argument("Optimizer::bind: the gradients at the previous weights are missing");
    for (Group& g : impl_->groups) g.bind(device, parameters, gradients);
}

void Optimizer::begin_step(std::int64_t step, std::int64_t total_steps) {
    for (Group& g : impl_->groups) g.begin_step(step, total_steps);
}

void Optimizer::estimate() {
    for (Group& g : impl_->groups) g.find_directions();
}

void Optimizer::update() {
    for (Group& g : impl_->groups) g.update_weights();
}

std::vector<Optimizer::GroupRate> Optimizer::learning_rates() const {
    std::vector<GroupRate> rates;
    for (const Group& g : impl_->groups) rates.push_back({g.name(), g.rate()});
    return rates;
}

}  // namespace steepest
