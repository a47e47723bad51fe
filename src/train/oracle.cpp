#include "train/oracle.h"

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/norm.h"

namespace steepest {

Oracle::Oracle(Problem& problem, ParameterStore& parameters, const Samples& samples, Communicator& comm,
               const Options& options)
    : problem_(problem), parameters_(parameters), samples_(samples), comm_(comm), options_(options) {
    if (options_.second != SecondGradient::none) previous_gradients_.resize(parameters.specs().size());
    if (options_.second == SecondGradient::previous_weights) previous_copies_.resize(parameters.specs().size());
    if (options_.keeps_first) first_gradients_.resize(parameters.specs().size());
    if (options_.zeroth_order)
        differences_ = std::make_unique<LossDifferences>(*options_.zeroth_order, parameters.specs(), options_.seed);
    if (options_.privacy)
        sequence_gradients_ = std::make_unique<SequenceGradients>(*options_.privacy, parameters.specs(), options_.seed);
}

void Oracle::plan(Layout& gradients, Layout& state, Layout& scratch, StepScalars& scalars) {
    if (differences_) differences_->plan(gradients, scratch, scalars, parameters_.copies());
    if (sequence_gradients_) sequence_gradients_->plan(gradients, scratch, scalars);
    const Shape tokens{2, sequences_of_rank(), problem_.targets_per_sequence()};
    scratch.add("tokens", &tokens_.memory, DType::i32, tokens);
    if (prefetches() || replays()) scratch.add("other_tokens", &other_tokens_.memory, DType::i32, tokens);
    scratch.add("readings", &readings_, DType::f32, {sizeof(StepReading) / sizeof(float)});
    scratch.add("sum_of_squares", &sum_, DType::f32, {1});
    if (sequence_gradients_) scratch.add("loss_sum", &loss_sum_, DType::f32, {1});

    // Prefetched gradients live from one step to the next; those at kept weights only within one.
    Layout& previous = prefetches() ? state : gradients;
    const auto specs = parameters_.specs();
    for (std::size_t i = 0; i < previous_gradients_.size(); ++i)
        previous.add(specs[i].name + "/oracle/previous_gradient", &previous_gradients_[i], DType::f32, specs[i].shape);
    if (!previous_gradients_.empty()) {
        previous.add("oracle/previous_factor", &previous_factor_, DType::f32, {1});
        previous.add("oracle/previous_ok", &previous_ok_, DType::f32, {1});
    }
    for (std::size_t i = 0; i < first_gradients_.size(); ++i)
        gradients.add(specs[i].name + "/oracle/first_gradient", &first_gradients_[i], DType::f32, specs[i].shape);
    for (std::size_t i = 0; i < previous_copies_.size(); ++i)
        state.add(specs[i].name + "/oracle/previous_weights", &previous_copies_[i], parameters_.copies()[i].dtype,
                  specs[i].shape);
}

void Oracle::bind(Device device) {
    device_ = device;
    if (differences_) differences_->bind(device, parameters_.masters(), parameters_.copies());
    if (sequence_gradients_) sequence_gradients_->bind(device);
    for (Tokens* t : {&tokens_, &other_tokens_})
        if (t->memory) t->feed = make_feed(device, t->memory.data, t->memory.bytes());
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
    return {.scale = factor_,
            .previous = previous_gradients_,
            .previous_scale = previous_factor_,
            .ok = ok_,
            .loss = loss_,
            .first_micro_batch = first_gradients_};
}

void Oracle::send(std::int64_t step, const Tokens& tokens, TokenStreamHash* hash) {
    const std::int64_t own = sequences_of_rank(), T = problem_.targets_per_sequence();
    auto* host = static_cast<std::int32_t*>(tokens.feed->host());
    const Batch batch{.inputs = Tensor(host, DType::i32, {own, T}),
                      .targets = Tensor(host + own * T, DType::i32, {own, T})};
    samples_.gather(first_sample(step), batch);
    if (hash) hash->add(batch);
    tokens.feed->send();
}

void Oracle::begin_step(std::int64_t step) {
    if (differences_) differences_->begin_step(step);
    if (sequence_gradients_) sequence_gradients_->begin_step(step);
}

void Oracle::load(std::int64_t step, TokenStreamHash& hash, Verdicts before) {
    if (before == Verdicts::known) {
        constexpr float kGood = 1;
        copy_to_device(device_, ok_.data, &kGood, sizeof kGood);
    }
    const std::int64_t micro_batches = sequences_of_rank() / options_.micro_batch;
    send(step, tokens_, &hash);
    if (!differences_) taken_ += micro_batches;
    if (prefetches()) send(step + 1, other_tokens_, nullptr);
    if (replays() && step > 1) send(step - 1, other_tokens_, nullptr);
    if (prefetches() || second_within(step)) second_taken_ += micro_batches;
}

MicroBatch Oracle::sequences(std::int64_t step, const Tokens& tokens, std::int64_t at, std::int64_t n) const {
    return {.inputs = tokens.memory.rows(at, n),
            .targets = tokens.memory.rows(sequences_of_rank() + at, n),
            .first_sample = first_sample(step) + at};
}

void Oracle::exchange(TensorList list) {
    if (comm_.size() == 1) return;
    comm_.start_mean(list);
    comm_.finish();
}

void Oracle::take_gradients(std::int64_t step, const Tokens& tokens, const TensorList& weights, const TensorList& into,
                            Tensor loss, bool keep_first) {
    const std::int64_t own = sequences_of_rank(), micro = options_.micro_batch;
    if (sequence_gradients_) {
        // Each sequence's loss and gradient are means over its own tokens.
        sequence_gradients_->sum(into, own, [&](std::int64_t i, const TensorList& to) {
            problem_.gradient(weights, sequences(step, tokens, i, 1), to, loss, share(1), false);
            run(device_,
                AddScaled{
                    .x = {loss_sum_}, .y = {loss}, .a = i == 0 ? 0.0f : 1.0f, .b = 1.0f / static_cast<float>(own)});
        });
        run(device_, Copy{.to = {loss}, .from = {loss_sum_}});
    }
    for (std::int64_t at = 0; !sequence_gradients_ && at < own; at += micro) {
        problem_.gradient(weights, sequences(step, tokens, at, micro), into, loss, share(own), at > 0);
        if (at == 0 && keep_first) run(device_, Copy{.to = first_gradients_, .from = into});
    }
    TensorList exchanged = into;
    exchanged.push_back(loss);
    exchange(std::move(exchanged));
    if (sequence_gradients_) sequence_gradients_->add_noise(into, options_.batch);
}

void Oracle::take_losses(std::int64_t step, const Tokens& tokens, const TensorList& into, Tensor loss) {
    const std::int64_t own = sequences_of_rank(), micro = options_.micro_batch;
    differences_->estimate(into, loss, [&](const TensorList& weights, const Tensor& where) {
        for (std::int64_t at = 0; at < own; at += micro)
            problem_.loss(weights, sequences(step, tokens, at, micro), where, share(own), at > 0);
        exchange({where});
    });
}

void Oracle::mean_gradient(std::int64_t step, const Tokens& tokens, const TensorList& weights, const TensorList& into,
                           const Verdict& verdict, bool keep_first) {
    if (differences_)
        take_losses(step, tokens, into, verdict.loss);
    else
        take_gradients(step, tokens, weights, into, verdict.loss, keep_first);
    run(device_, SumOfSquares{.sums = sum_, .list = into});
    run(device_, ClipFactor{.norm = verdict.norm,
                            .factor = verdict.factor,
                            .ok = verdict.ok,
                            .sum = sum_,
                            .loss = verdict.loss,
                            .slope = differences_ ? differences_->slope() : ConstTensor{},
                            .also_ok = verdict.also_ok,
                            .max_norm = options_.max_norm});
}

void Oracle::compute(std::int64_t step) {
    // ok_ still holds the verdict on the step before, or that it is known. A prefetched gradient that is not finite
    // makes the step bad that would have used it.
    const Verdict verdict{.loss = loss_,
                          .norm = norm_,
                          .factor = factor_,
                          .ok = ok_,
                          .also_ok = {ok_, prefetches() ? ConstTensor(previous_ok_) : ConstTensor()}};
    mean_gradient(step, tokens_, parameters_.copies(), parameters_.gradients(), verdict,
                  options_.keeps_first && options_.keeps_first(step));
    if (!second_within(step)) return;
    if (replays())
        mean_gradient(step - 1, other_tokens_, parameters_.copies(), previous_gradients_, previous_verdict(ok_, ok_));
    else
        mean_gradient(step, tokens_, previous_copies_, previous_gradients_, previous_verdict(ok_, ok_));
}

void Oracle::before_update(std::int64_t step) {
    if (options_.second == SecondGradient::previous_weights)
        run(device_, Copy{.to = previous_copies_, .from = parameters_.copies(), .gate = ok_});
    if (prefetches())
        mean_gradient(step + 1, other_tokens_, parameters_.copies(), previous_gradients_,
                      previous_verdict(previous_ok_, {}));
}

void Oracle::repeat_before_update(std::int64_t step) {
    if (!prefetches()) return;
    send(step + 1, other_tokens_, nullptr);
    before_update(step);
}

StepReading Oracle::read() const {
    StepReading reading{};
    copy_to_host(device_, &reading, readings_.data, sizeof reading);
    return reading;
}

}  // namespace steepest
