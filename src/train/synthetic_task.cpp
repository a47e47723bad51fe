#include "train/synthetic_task.h"

#include "core/hash.h"

#include <cstdio>

namespace steepest {

namespace {

class SampleNumbers final : public TrainingData {
public:
    explicit SampleNumbers(Json problem) : problem_(std::move(problem)) {}

    // A number as two words, so that the hash of the stream says which samples were seen.
    void gather(std::int64_t first_sample, const Batch& batch) const override {
        for (std::int64_t b = 0; b < batch.inputs.count(); ++b) {
            const auto number = static_cast<std::uint64_t>(first_sample + b);
            batch.inputs.as<std::int32_t>()[b] = static_cast<std::int32_t>(number & 0xffffffffu);
            batch.targets.as<std::int32_t>()[b] = static_cast<std::int32_t>(number >> 32);
        }
    }
    std::uint64_t fingerprint() const override { return hash64(problem_.dump()); }
    std::string describe() const override { return "samples of " + problem_.dump(); }
    Json manifest() const override { return {{"hash", to_hex(fingerprint())}, {"problem", problem_}}; }

private:
    Json problem_;
};

}  // namespace

SyntheticTask::SyntheticTask(const RunConfig& config) : config_(*config.problem), problem_(config_.make()) {
    problem_->seed_noise(config.data_seed());
}

std::unique_ptr<TrainingData> SyntheticTask::open_training_data(std::int64_t) const {
    return std::make_unique<SampleNumbers>(config_.write());
}

Evaluation SyntheticTask::evaluate(std::span<const Tensor> weights) {
    const SyntheticProblem::Exact exact = problem_->exact(weights);
    Json measures = Json::object();
    for (const auto& [name, value] : exact.measures) measures[name] = value;
    return {.loss = exact.loss, .more = {{"exact", std::move(measures)}}};
}

std::string SyntheticTask::describe(const Evaluation& evaluation) const {
    char text[64];
    std::snprintf(text, sizeof text, "exact objective %.6g", evaluation.loss);
    std::string all = text;
    for (const auto& [name, value] : evaluation.more.at("exact").items()) {
        std::snprintf(text, sizeof text, ", %s %.6g", name.c_str(), value.get<double>());
        all += text;
    }
    return all;
}

}  // namespace steepest
