#pragma once
// GPT-2 on text: tokens to learn from, held-out ones to judge by, texts to sample.
#include "data/dataset.h"
#include "model/gpt2.h"
#include "train/evaluator.h"
#include "train/sampler.h"
#include "train/task.h"

#include <memory>
#include <optional>

namespace steepest {

class TextTask final : public Task {
public:
    explicit TextTask(const RunConfig& config);

    std::string name() const override { return config_.model.name; }
    Gpt2& problem() override { return model_; }
    void plan(Layout& scratch) override;
    void bind(Device device) override;
    std::unique_ptr<TrainingData> open_training_data(std::int64_t batch) const override;
    Evaluation evaluate(std::span<const Tensor> weights) override;
    std::int64_t evaluation_samples() const override { return config_.evaluation_sequences(); }
    std::string describe(const Evaluation& evaluation) const override;
    std::string describe_validation() const override { return validation_ ? validation_->describe() : ""; }
    Json validation_manifest() const override;
    Sampler* sampler() override { return &sampler_; }

    const std::optional<Dataset>& validation() const { return validation_; }
    // Null without held-out data.
    Evaluator* evaluator() { return evaluator_.get(); }

private:
    RunConfig config_;
    std::optional<Dataset> validation_;
    Gpt2 model_;
    std::unique_ptr<Evaluator> evaluator_;
    Sampler sampler_;
};

}  // namespace steepest
