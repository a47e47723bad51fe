#include "optim/optimizer.h"

#include "core/error.h"
#include "optim/assign.h"
#include "optim/group.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace steepest {

struct Optimizer::Impl {
    std::vector<ParamSpec> specs;
    std::optional<ZerothOrderConfig> zeroth_order;
    std::optional<PrivacyConfig> privacy;
    std::unique_ptr<StepSize> step_size;
    Binding binding{"optimizer", "step_size", {}};
    Tensor numbers;  // what follows in the order of ProductSums, and the factor
    ProductSums products;
    Tensor factor;
    ConstTensor loss;
    std::deque<Group> groups;
    DiagnosticsOptions diagnostics;
};

Optimizer::Optimizer(const OptimizerConfig& config, std::span<const ParamSpec> specs, const OptimizerOptions& options)
    : impl_(std::make_unique<Impl>()) {
    impl_->specs.assign(specs.begin(), specs.end());
    impl_->diagnostics = options.diagnostics;
    impl_->zeroth_order = config.zeroth_order, impl_->privacy = config.privacy;
    config.check([](const std::string& pointer, const std::string& message) {
        throw InputError("optimizer: " + pointer + ": " + message);
    });
    impl_->step_size = config.step_size.make();
    impl_->step_size->prepare(impl_->binding);
    auto members = assign(config, impl_->specs);
    for (const auto& [name, group] : config.groups)
        impl_->groups.emplace_back(name, group, config, *impl_->step_size, std::move(members[name]), options);
    const OracleNeeds all = needs();
    if (all.previous_weights_gradient && all.previous_batch_gradient)
        throw InputError(
            "optimizer: one group corrects by previous_weights and another by previous_batch; expected one of them");
    if (all.second_gradient() && (all.zeroth_order || all.privacy))
        throw InputError(std::string("optimizer: a group corrects by a second gradient, which there is none of with ") +
                         (all.privacy ? "privacy" : "zeroth_order"));
}

Optimizer::~Optimizer() = default;

OracleNeeds Optimizer::needs() const {
    OracleNeeds all{.zeroth_order = impl_->zeroth_order, .privacy = impl_->privacy};
    for (const Group& g : impl_->groups) {
        all.previous_weights_gradient |= g.needs().previous_weights_gradient;
        all.previous_batch_gradient |= g.needs().previous_batch_gradient;
    }
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
    if (impl_->step_size->decides()) {
        impl_->binding.plan(state, scratch, scalars);
        scratch.add("optimizer/step_size/numbers", &impl_->numbers, DType::f32, {4});
    }
    for (Group& g : impl_->groups) g.plan_lasting(scratch);
    // Groups run one after another, so they share the rest of their scratch.
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
    if (needs().second_gradient() && gradients.previous.size() != parameters.size())
        throw std::invalid_argument("Optimizer::bind: the second gradients are missing");
    if (impl_->step_size->decides()) {
        float* at = impl_->numbers.as<float>();
        for (Tensor* t : {&impl_->products.gradient_weight, &impl_->products.estimate_weight, &impl_->products.decrease,
                          &impl_->factor})
            *t = Tensor(at++, DType::f32, {1});
        impl_->products.count_learning_rates = impl_->step_size->counts_learning_rates();
        impl_->binding.bind(device);
        impl_->binding.ok = gradients.ok;
        impl_->loss = gradients.loss;
    }
    for (Group& g : impl_->groups) g.bind(device, parameters, gradients, impl_->products, impl_->factor);
}

void Optimizer::begin_step(std::int64_t step, std::int64_t total_steps) {
    impl_->step_size->begin_step(step);
    for (Group& g : impl_->groups) g.begin_step(step, total_steps);
}

bool Optimizer::measures(std::int64_t step) const { return impl_->diagnostics.measures(step); }

std::vector<GroupDiagnosis> Optimizer::diagnoses() const {
    std::vector<GroupDiagnosis> all;
    for (const Group& g : impl_->groups) all.push_back(g.diagnosis());
    return all;
}

int Optimizer::variant(std::int64_t step) const {
    int variant = 0;
    for (const Group& g : impl_->groups) variant = g.variants() * variant + g.variant(step);
    const DiagnosticsOptions& d = impl_->diagnostics;
    if (d.every == 0) return variant;
    return 4 * variant + (d.measures(step) ? 1 : 0) + (d.keeps(step) ? 2 : 0);
}

void Optimizer::estimate() {
    bool first = true;
    for (Group& g : impl_->groups) g.find_directions(std::exchange(first, false));
    if (impl_->step_size->decides())
        impl_->step_size->decide(impl_->binding,
                                 {.loss = impl_->loss,
                                  .gradient_weight = impl_->products.gradient_weight,
                                  .estimate_weight = impl_->products.estimate_weight,
                                  .decrease = impl_->products.decrease},
                                 impl_->factor);
}

void Optimizer::update() {
    for (Group& g : impl_->groups) g.update_weights();
}

std::vector<bool> Optimizer::averaged() const {
    std::vector<bool> list(impl_->specs.size());
    for (const Group& g : impl_->groups)
        if (g.averages()) g.mark_members(list);
    return list;
}

void Optimizer::write_averages(std::span<const Tensor> to) {
    for (Group& g : impl_->groups)
        if (g.averages()) g.write_average(to);
}

std::vector<Optimizer::GroupRate> Optimizer::learning_rates() const {
    std::vector<GroupRate> rates;
    for (const Group& g : impl_->groups) rates.push_back({g.name(), g.rate()});
    return rates;
}

}  // namespace steepest
