#include "train/oracle.h"

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/norm.h"

namespace steepest {

Oracle::Oracle(Problem& problem, ParameterStore& parameters, const Loader& loader, Communicator& comm,
               const Options& options)
    : problem_(problem), parameters_(parameters), loader_(loader), comm_(comm), options_(options) {
    const std::int64_t T = problem.targets_per_sequence();
    host_inputs_.resize(options.micro_batch * T), host_targets_.resize(options.micro_batch * T);
    if (options_.second != SecondGradient::none) previous_gradients_.resize(parameters.specs().size());
    if (options_.second == SecondGradient::previous_weights) previous_copies_.resize(parameters.specs().size());
}

void Oracle::plan(Layout& gradients, Layout& state, Layout& scratch) {
    const std::int64_t T = problem_.targets_per_sequence();
    scratch.add("inputs", &inputs_, DType::i32, {options_.micro_batch, T});
    scratch.add("targets", &targets_, DType::i32, {options_.micro_batch, T});
    scratch.add("readings", &readings_, DType::f32, {sizeof(StepReading) / sizeof(float)});
    scratch.add("sum_of_squares", &sum_, DType::f32, {1});

    // Prefetched gradients live from one step to the next; those at kept weights only within one.
    const bool prefetch = options_.second == SecondGradient::prefetch;
    Layout& previous = prefetch ? state : gradients;
    const auto specs = parameters_.specs();
    for (std::size_t i = 0; i < previous_gradients_.size(); ++i)
        previous.add(specs[i].name + "/oracle/previous_gradient", &previous_gradients_[i], DType::f32, specs[i].shape);
    if (!previous_gradients_.empty()) {
        previous.add("oracle/previous_factor", &previous_factor_, DType::f32, {1});
        previous.add("oracle/previous_ok", &previous_ok_, DType::f32, {1});
    }
    for (std::size_t i = 0; i < previous_copies_.size(); ++i)
        state.add(specs[i].name + "/oracle/previous_weights", &previous_copies_[i], parameters_.copies()[i].dtype,
                  specs[i].shape);
}

void Oracle::bind(Device device) {
    device_ = device;
    float* reading = readings_.as<float>();
    for (Tensor* t : {&loss_, &norm_, &factor_, &ok_, &previous_loss_, &previous_norm_})
        *t = Tensor(reading++, DType::f32, {1});
    fill_zero(device_, readings_.data, readings_.bytes());
    // The first step has no previous gradient: zero times whatever is there must be zero.
    for (const Tensor& t : previous_gradients_) fill_zero(device_, t.data, t.bytes());
    if (previous_factor_) {
        constexpr float kGood = 1;
        fill_zero(device_, previous_factor_.data, previous_factor_.bytes());
        copy_to_device(device_, previous_ok_.data, &kGood, sizeof kGood);
    }
}

StepGradients Oracle::gradients() const {
    return {.scale = factor_, .previous = previous_gradients_, .previous_scale = previous_factor_, .ok = ok_};
}

void Oracle::mean_gradient(std::int64_t step, const TensorList& weights, const TensorList& into, const Verdict& verdict,
                           std::int64_t& counter, TokenStreamHash* hash) {
    const std::int64_t T = problem_.targets_per_sequence(), own = sequences_of_rank(), micro = options_.micro_batch;
    const std::int64_t first = (step - 1) * options_.batch + comm_.rank() * own;
    const Batch host{.inputs = Tensor(host_inputs_.data(), DType::i32, {micro, T}),
                     .targets = Tensor(host_targets_.data(), DType::i32, {micro, T})};
    for (std::int64_t at = 0; at < own; at += micro) {
        loader_.gather(first + at, host);
        if (hash) hash->add(host);
        copy_to_device(device_, inputs_.data, host_inputs_.data(), inputs_.bytes());
        copy_to_device(device_, targets_.data, host_targets_.data(), targets_.bytes());
        problem_.gradient(weights, {.inputs = inputs_, .targets = targets_, .first_sample = first + at}, into,
                          verdict.loss, 1.0f / static_cast<float>(own * T), at > 0);
        ++counter;
    }
    if (comm_.size() > 1) {
        TensorList exchanged = into;
        exchanged.push_back(verdict.loss);
        comm_.start_mean(exchanged);
        comm_.finish();
    }
    run(device_, SumOfSquares{.sums = sum_, .list = into});
    run(device_, ClipFactor{.norm = verdict.norm,
                            .factor = verdict.factor,
                            .ok = verdict.ok,
                            .sum = sum_,
                            .loss = verdict.loss,
                            .also_ok = verdict.also_ok,
                            .max_norm = options_.max_norm});
}

void Oracle::compute(std::int64_t step, TokenStreamHash& hash) {
    Verdict verdict{.loss = loss_, .norm = norm_, .factor = factor_, .ok = ok_};
    // A prefetched gradient that is not finite makes the step bad that would have used it.
    if (options_.second == SecondGradient::prefetch) verdict.also_ok = previous_ok_;
    mean_gradient(step, parameters_.copies(), parameters_.gradients(), verdict, taken_, &hash);
    if (options_.second == SecondGradient::previous_weights && step > 1)
        mean_gradient(step, previous_copies_, previous_gradients_, previous_verdict(ok_, ok_), second_taken_, nullptr);
}

void Oracle::before_update(std::int64_t step) {
    if (options_.second == SecondGradient::previous_weights)
        run(device_, Copy{.to = previous_copies_, .from = parameters_.copies(), .gate = ok_});
    if (options_.second == SecondGradient::prefetch)
        mean_gradient(step + 1, parameters_.copies(), previous_gradients_, previous_verdict(previous_ok_, {}),
                      second_taken_, nullptr);
}

StepReading Oracle::read() const {
    StepReading reading{};
    copy_to_host(device_, &reading, readings_.data, sizeof reading);
    return reading;
}

}  // namespace steepest
