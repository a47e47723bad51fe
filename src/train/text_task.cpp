#include "train/text_task.h"

#include "core/hash.h"
#include "data/loader.h"

#include <cmath>
#include <cstdio>
#include <numbers>

namespace steepest {

namespace {

Json manifest_of(const Dataset& data) {
    Json files = Json::array();
    for (const TokenFile& file : data.files()) files.push_back(file.path());
    return {{"hash", to_hex(data.fingerprint())},
            {"tokens", data.total_tokens()},
            {"sequences", data.sample_count()},
            {"files", files}};
}

class TrainingText final : public TrainingData {
public:
    TrainingText(const RunConfig& config, std::int64_t batch)
        : data_(Dataset::open(config.data, Split::train,
                              {.context = config.model.context, .vocab = config.model.vocab, .batch = batch})),
          loader_(data_, config.data_seed(), Order::shuffled) {}

    void gather(std::int64_t first_sample, const Batch& batch) const override { loader_.gather(first_sample, batch); }
    std::uint64_t fingerprint() const override { return data_.fingerprint(); }
    std::string describe() const override { return data_.describe(); }
    Json manifest() const override { return manifest_of(data_); }

private:
    Dataset data_;
    Loader loader_;
};

}  // namespace

TextTask::TextTask(const RunConfig& config)
    : config_(config), model_(config.model, config.precision.dtype()), sampler_(model_, config.model) {
    if (config.evaluation.every == 0) return;
    validation_ =
        Dataset::open(config.data, Split::validation, {.context = config.model.context, .vocab = config.model.vocab});
    evaluator_ = std::make_unique<Evaluator>(model_, *validation_, config.evaluation_sequences(),
                                             config.micro_batch_sequences());
}

void TextTask::plan(Layout& scratch) {
    if (evaluator_) evaluator_->plan(scratch);
    sampler_.plan(scratch);
}

void TextTask::bind(Device device) {
    if (evaluator_) evaluator_->bind(device);
    sampler_.bind(device);
}

std::unique_ptr<TrainingData> TextTask::open_training_data(std::int64_t batch) const {
    return std::make_unique<TrainingText>(config_, batch);
}

Evaluation TextTask::evaluate(std::span<const Tensor> weights) {
    return {.loss = evaluator_->loss(weights), .more = {{"eval_tokens", evaluator_->tokens()}}};
}

std::string TextTask::describe(const Evaluation& evaluation) const {
    char text[160];
    std::snprintf(text, sizeof text, "validation loss %.6f nats a token over %lld tokens, perplexity %.4f",
                  evaluation.loss, static_cast<long long>(evaluator_->tokens()), std::exp(evaluation.loss));
    std::string all = text;
    if (config_.model.vocab == kByteVocab) {
        std::snprintf(text, sizeof text, ", %.4f bits a byte", evaluation.loss / std::numbers::ln2);
        all += text;
    }
    return all;
}

Json TextTask::validation_manifest() const { return validation_ ? manifest_of(*validation_) : Json(); }

}  // namespace steepest
