#pragma once
// Task: what a run is about, as the trainer sees it: the problem, the samples it learns from, and what judges its
// weights. GPT-2 on text is one task, a synthetic problem another; make_task() is the one place that chooses.
#include "core/json.h"
#include "core/memory.h"
#include "data/samples.h"
#include "model/problem.h"
#include "train/run_config.h"

#include <memory>
#include <span>
#include <string>

namespace steepest {

class Sampler;

// What is learnt from.
class TrainingData : public Samples {
public:
    // Of all that decides the samples but the seed.
    virtual std::uint64_t fingerprint() const = 0;
    // One line for people.
    virtual std::string describe() const = 0;
    // For the manifest.
    virtual Json manifest() const = 0;
};

struct Evaluation {
    double loss;
    Json more;  // an object: further fields of its line in the log
};

class Task {
public:
    virtual ~Task() = default;

    // What the log calls the model.
    virtual std::string name() const = 0;
    virtual Problem& problem() = 0;
    const Problem& problem() const { return const_cast<Task*>(this)->problem(); }

    // Memory for evaluations and samples.
    virtual void plan(Layout& scratch) = 0;
    virtual void bind(Device device) = 0;

    // Throws InputError if there are fewer samples than a step of `batch` wants.
    virtual std::unique_ptr<TrainingData> open_training_data(std::int64_t batch) const = 0;

    // Only where the config evaluates.
    virtual Evaluation evaluate(std::span<const Tensor> weights) = 0;
    // In samples: what it costs.
    virtual std::int64_t evaluation_samples() const = 0;
    // An evaluation in words, for people.
    virtual std::string describe(const Evaluation& evaluation) const = 0;
    // What judges, in one line for people and for the manifest; empty, and null, where the config does not evaluate.
    virtual std::string describe_validation() const = 0;
    virtual Json validation_manifest() const = 0;

    // Null where there is nothing to sample.
    virtual Sampler* sampler() { return nullptr; }
};

// Opens what evaluations need. Throws InputError.
std::unique_ptr<Task> make_task(const RunConfig& config);

}  // namespace steepest
