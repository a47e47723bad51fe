#pragma once
// Oracle: the gradients of a step, as the optimizer asked for them: averaged over micro-batches and ranks, with the
// factor of global-norm clipping, and, for variance reduction, the gradient of the same batch at the previous step's
// weights; or from losses alone, or of single sequences, as the headers of LossDifferences and SequenceGradients say.
#include "comm/communicator.h"
#include "core/memory.h"
#include "core/pipeline.h"
#include "data/samples.h"
#include "data/token_hash.h"
#include "model/problem.h"
#include "optim/optimizer.h"
#include "train/loss_differences.h"
#include "train/parameters.h"
#include "train/sequence_gradients.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace steepest {

// Two ways to the gradient of batch t + 1 at the weights of step t; equal to the last bit while no step is bad.
//   previous_weights   keep those weights, and go back to them at step t + 1. After a bad step they are still the
//   weights
//                      before the last good one.
//   prefetch           take the gradient of the next batch before the weights change. No copy of the weights; after a
//   bad
//                      step the gradient was taken at the current weights, so the correction is zero once.
// And what Muon-MVR3 has in its place:
//   previous_batch     the gradient of batch t - 1 at the weights of step t.
enum class SecondGradient { none, previous_weights, prefetch, previous_batch };

// Whether the host has read what the device says of every step before. Where it has not, a step behind a bad one must
// change nothing, so that the bad one can be looked into with the weights it had.
enum class Verdicts { known, pending };

// What the device says of a step, read back in one copy.
struct StepReading {
    float loss, norm, factor, ok;
    float previous_loss, previous_norm;
};

class Oracle {
public:
    struct Options {
        std::int64_t batch, micro_batch;  // sequences a step over all ranks; sequences at a time on one
        float max_norm;                   // 0: no clipping
        SecondGradient second = SecondGradient::none;
        // Keep the first micro-batch's part of the gradients where keeps_first() says so; needs several.
        std::function<bool(std::int64_t step)> keeps_first = {};
        std::optional<ZerothOrderConfig> zeroth_order = {};
        std::optional<PrivacyConfig> privacy = {};
        std::uint64_t seed = 1;  // of their random numbers
    };
    // All references must outlive the oracle.
    Oracle(Problem& problem, ParameterStore& parameters, const Samples& samples, Communicator& comm,
           const Options& options);
    Oracle(const Oracle&) = delete;
    Oracle& operator=(const Oracle&) = delete;

    // `state` is what a checkpoint must hold.
    void plan(Layout& gradients, Layout& state, Layout& scratch, StepScalars& scalars);
    void bind(Device device);
    // For Optimizer::bind.
    StepGradients gradients() const;

    // Sets this step's scalars, which the caller uploads before compute().
    void begin_step(std::int64_t step);
    // A step (from 1) is load(), which is the host's part and adds the step's tokens to `hash`, and then ops alone:
    // compute() takes the gradients at the current weights; before_update() comes between the optimizer's directions
    // and its update, in every step, also the last: a run can be extended.
    void load(std::int64_t step, TokenStreamHash& hash, Verdicts before = Verdicts::known);
    void compute(std::int64_t step);
    void before_update(std::int64_t step);
    // Makes good what steps behind the bad `step` have overwritten: what before_update() left for the one after it.
    void repeat_before_update(std::int64_t step);
    // Steps of one variant run the same ops, see Recorder.
    int variant(std::int64_t step) const { return second_within(step) ? 1 : 0; }
    StepReading read() const;
    // The bytes of StepReading on the device, for whoever reads them later.
    ConstTensor readings() const { return readings_; }

    // Micro-batches whose gradient was taken so far: at the current weights, and at the previous ones.
    std::int64_t gradients_taken() const { return taken_; }
    std::int64_t second_gradients_taken() const { return second_taken_; }
    bool prefetches() const { return options_.second == SecondGradient::prefetch; }
    // Evaluations a step costs, in whole batches: of gradients, and of losses alone.
    int gradients_per_step() const { return differences_ ? 0 : options_.second == SecondGradient::none ? 1 : 2; }
    int losses_per_step() const { return differences_ ? differences_->losses_per_step() : 0; }

private:
    // What comes with a mean gradient, (1) f32 each; ok is also 0 where one of `also_ok` is given and 0.
    struct Verdict {
        Tensor loss, norm, factor, ok;
        std::array<ConstTensor, 2> also_ok = {};
    };
    // A rank's share of one step's batch on the device: inputs and targets, (2, sequences, T) i32.
    struct Tokens {
        Tensor memory;
        std::unique_ptr<Feed> feed;
    };
    void send(std::int64_t step, const Tokens& tokens, TokenStreamHash* hash);
    // The mean gradient of the step's batch, which `tokens` holds, at `weights`, into `into`.
    void mean_gradient(std::int64_t step, const Tokens& tokens, const TensorList& weights, const TensorList& into,
                       const Verdict& verdict, bool keep_first = false);
    void take_gradients(std::int64_t step, const Tokens& tokens, const TensorList& weights, const TensorList& into,
                        Tensor loss, bool keep_first);
    void take_losses(std::int64_t step, const Tokens& tokens, const TensorList& into, Tensor loss);
    // Sequences [at, at + n) of this rank's.
    MicroBatch sequences(std::int64_t step, const Tokens& tokens, std::int64_t at, std::int64_t n) const;
    // A sequence's part of the mean over a rank's tokens, for each of them.
    float share(std::int64_t sequences) const {
        return 1.0f / static_cast<float>(sequences * problem_.targets_per_sequence());
    }
    void exchange(TensorList list);
    Verdict previous_verdict(Tensor ok, ConstTensor also_ok) const {
        return {previous_loss_, previous_norm_, previous_factor_, ok, {also_ok}};
    }
    std::int64_t sequences_of_rank() const { return options_.batch / comm_.size(); }
    std::int64_t first_sample(std::int64_t step) const {
        return (step - 1) * options_.batch + comm_.rank() * sequences_of_rank();
    }
    bool replays() const { return options_.second == SecondGradient::previous_batch; }
    // A second gradient after the first, of the same step. The first step has neither weights nor a batch before its
    // own.
    bool second_within(std::int64_t step) const {
        return (options_.second == SecondGradient::previous_weights || replays()) && step > 1;
    }

    Problem& problem_;
    ParameterStore& parameters_;
    const Samples& samples_;
    Communicator& comm_;
    Options options_;
    Device device_{};
    std::unique_ptr<LossDifferences> differences_;
    std::unique_ptr<SequenceGradients> sequence_gradients_;

    Tokens tokens_, other_tokens_;  // the latter of the next batch, or of the one before
    Tensor readings_, sum_;         // StepReading as one tensor; sum of squares
    Tensor loss_sum_;               // of sequences
    Tensor loss_, norm_, factor_, ok_, previous_loss_, previous_norm_;
    Tensor previous_factor_, previous_ok_;  // belong to previous_gradients_
    TensorList previous_gradients_, previous_copies_, first_gradients_;
    std::int64_t taken_ = 0, second_taken_ = 0;
};

}  // namespace steepest
