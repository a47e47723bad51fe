#include "train/stepper.h"

#include "core/clock.h"
#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/hooks.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace steepest {

namespace {

std::int64_t sequences_at_once(const RunConfig& config, const Communicator& comm) {
    if (config.batch % comm.size())
        throw InputError("/batch: " + std::to_string(config.batch) + " sequences do not divide over " +
                         std::to_string(comm.size()) + " ranks");
    const std::int64_t own = config.batch / comm.size();
    const std::int64_t micro = config.micro_batch > 0 ? config.micro_batch : own;
    if (own % micro)
        throw InputError("/micro_batch: " + std::to_string(micro) + " does not divide the " + std::to_string(own) +
                         " sequences of a rank");
    return micro;
}

DiagnosticsOptions diagnostics_of(const RunConfig& config, const Communicator& comm) {
    // The noise that micro-batches tell of is that of gradients of a batch.
    const bool of_batch = !config.optimizer.zeroth_order && !config.optimizer.privacy;
    return {.every = config.diagnostics.every,
            .micro_batches = of_batch ? config.batch / comm.size() / sequences_at_once(config, comm) : 1};
}

}  // namespace

Stepper::Stepper(const RunConfig& config, Communicator& comm)
    : runner_(config, Purpose::train),
      data_(runner_.task().open_training_data(config.batch)),
      optimizer_(std::make_unique<Optimizer>(
          config.optimizer, runner_.parameters().specs(),
          OptimizerOptions{.seed = config.optimizer_seed(), .diagnostics = diagnostics_of(config, comm)})) {
    const DiagnosticsOptions diagnostics = diagnostics_of(config, comm);
    std::function<bool(std::int64_t)> keeps_first;
    const OracleNeeds needs = optimizer_->needs();
    if (diagnostics.every > 0 && diagnostics.sees_noise())
        keeps_first = [diagnostics](std::int64_t step) { return diagnostics.measures(step); };
    const SecondGradient second = needs.previous_batch_gradient          ? SecondGradient::previous_batch
                                  : !needs.previous_weights_gradient     ? SecondGradient::none
                                  : config.second_gradient == "prefetch" ? SecondGradient::prefetch
                                                                         : SecondGradient::previous_weights;
    oracle_ = std::make_unique<Oracle>(runner_.task().problem(), runner_.parameters(), *data_, comm,
                                       Oracle::Options{.batch = config.batch,
                                                       .micro_batch = sequences_at_once(config, comm),
                                                       .max_norm = static_cast<float>(config.max_gradient_norm),
                                                       .second = second,
                                                       .keeps_first = std::move(keeps_first),
                                                       .zeroth_order = needs.zeroth_order,
                                                       .privacy = needs.privacy,
                                                       .seed = config.optimizer_seed()});
    ModelRunner::Layouts& layouts = runner_.layouts();
    oracle_->plan(layouts.gradients, layouts.state, layouts.scratch, scalars_);
    optimizer_->plan(layouts.state, layouts.scratch, scalars_);
}

void Stepper::allocate(Device device) {
    runner_.allocate(device);
    recorder_ = make_recorder(device);
    scalars_.allocate(device);
    oracle_->bind(device);
    readback_ = make_readback(device, oracle_->readings().data, oracle_->readings().bytes());
    optimizer_->bind(device, runner_.parameters().parameters(), oracle_->gradients());
}

void Stepper::start(std::int64_t step, TokenStreamHash& hash) {
    const double started = monotonic_seconds();
    optimizer_->begin_step(step, runner_.config().total_steps());
    oracle_->begin_step(step);
    scalars_.upload();

    oracle_->load(step, hash, under_way_.empty() ? Verdicts::known : Verdicts::pending);
    double optimizer_seconds = 0;
    const auto timed = [&](const auto& part) {
        const double at = monotonic_seconds();
        part();
        optimizer_seconds += monotonic_seconds() - at;
    };
    recorder_->run(2 * optimizer_->variant(step) + oracle_->variant(step), [&] {
        oracle_->compute(step);
        timed([&] { optimizer_->estimate(); });
        oracle_->before_update(step);
        timed([&] { optimizer_->update(); });
    });
    if (!recorder_->immediate()) optimizer_seconds = std::numeric_limits<double>::quiet_NaN();
    readback_->start();
    under_way_.push_back({step, started, optimizer_seconds, optimizer_->learning_rates()});
}

StepReport Stepper::finish() {
    StepReport report;
    std::memcpy(&report.reading, readback_->finish(), sizeof report.reading);
    UnderWay& done = under_way_.front();
    const double now = monotonic_seconds();
    report.learning_rates = std::move(done.learning_rates);
    report.seconds = now - std::max(done.started, last_done_);
    report.optimizer_seconds = done.optimizer_seconds;
    last_done_ = now;
    const std::int64_t step = done.step;
    under_way_.pop_front();
    if (!report.ok() && !under_way_.empty()) {
        for (; !under_way_.empty(); under_way_.pop_front()) readback_->finish();
        oracle_->repeat_before_update(step);
    }
    return report;
}

std::string Stepper::find_culprit(std::int64_t step) {
    const Device device = runner_.device();
    std::string culprit = oracle_->prefetches() ? "the gradient that was prefetched in the step before"
                                                : "nothing in a second pass: the first one was disturbed";
    hooks(device).check_finite = true;
    try {
        TokenStreamHash nothing;
        oracle_->begin_step(step);
        scalars_.upload();
        oracle_->load(step, nothing);
        oracle_->compute(step);
    } catch (const NonFiniteError& e) {
        const std::string name = runner_.tensor_at(e.address);
        culprit = name.empty() ? e.what() : name + " (" + e.what() + ")";
    }
    hooks(device).check_finite = false;
    return culprit;
}

TensorList Stepper::with_averages(TensorList list, std::int64_t steps) {
    const std::vector<bool> averaged = optimizer_->averaged();
    if (std::ranges::find(averaged, true) == averaged.end()) return list;
    // A gradient is f32, and so has room for the average in any dtype.
    for (std::size_t i = 0; i < list.size(); ++i)
        if (averaged[i]) list[i].data = runner_.parameters().gradients()[i].data;
    if (steps > 0)
        optimizer_->write_averages(list);
    else  // all points are the initial weights, and the state does not hold them yet
        run(runner_.device(), Copy{.to = list, .from = runner_.parameters().masters()});
    return list;
}

TensorList Stepper::evaluation_weights(std::int64_t steps) {
    return with_averages(runner_.parameters().copies(), steps);
}

std::vector<NamedTensor> Stepper::named_weights(std::int64_t steps) {
    const TensorList weights = with_averages(runner_.parameters().masters(), steps);
    std::vector<NamedTensor> named;
    for (std::size_t i = 0; i < weights.size(); ++i)
        named.push_back({runner_.parameters().specs()[i].name, weights[i]});
    return named;
}

std::vector<NamedTensor> Stepper::named_state() const {
    std::vector<NamedTensor> named;
    for (const Layout::Entry& e : runner_.layouts().state.entries()) named.push_back({e.name, *e.slot});
    const std::vector<bool> averaged = optimizer_->averaged();
    const std::vector<ParamSpec>& specs = runner_.task().problem().parameters();
    for (const Layout::Entry& e : runner_.layouts().weights.entries()) {
        const auto spec = std::ranges::find(specs, e.name, &ParamSpec::name);
        if (spec != specs.end() && averaged[static_cast<std::size_t>(spec - specs.begin())])
            named.push_back({e.name + "/averaging/y", *e.slot});
    }
    return named;
}

std::int64_t Stepper::state_bytes() const {
    std::int64_t bytes = 0;
    for (const Layout::Entry& e : runner_.layouts().state.entries()) bytes += e.slot->bytes();
    return bytes;
}

double Stepper::model_flops() const {
    // A loss alone is the forward pass, a third of a gradient.
    return (oracle_->gradients_per_step() + oracle_->losses_per_step() / 3.0) *
           static_cast<double>(runner_.task().problem().gradient_flops(runner_.config().batch));
}

}  // namespace steepest
