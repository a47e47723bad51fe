#pragma once
// A synthetic problem as a run: its samples are numbers, and the exact objective judges its weights.
#include "problems/synthetic.h"
#include "train/task.h"

#include <memory>

namespace steepest {

class SyntheticTask final : public Task {
public:
    // The config's problem, its noise keyed by the config's seed of the data.
    explicit SyntheticTask(const RunConfig& config);

    std::string name() const override { return config_.type(); }
    SyntheticProblem& problem() override { return *problem_; }
    void plan(Layout&) override {}
    void bind(Device) override {}
    std::unique_ptr<TrainingData> open_training_data(std::int64_t batch) const override;
    Evaluation evaluate(std::span<const Tensor> weights) override;
    std::int64_t evaluation_samples() const override { return 1; }
    std::string describe(const Evaluation& evaluation) const override;
    std::string describe_validation() const override { return "the exact objective"; }
    Json validation_manifest() const override { return Json(); }

private:
    PluginConfig<SyntheticProblem> config_;
    std::unique_ptr<SyntheticProblem> problem_;
};

}  // namespace steepest
