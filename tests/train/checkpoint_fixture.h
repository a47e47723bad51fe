#pragma once
// A run small enough to be saved thousands of times, whose every value tells its step.
#include "kernels/cpu/cpu.h"
#include "tests/temporary_folder.h"
#include "train/checkpoint.h"

#include <memory>
#include <spdlog/sinks/ostream_sink.h>
#include <sstream>
#include <string>
#include <vector>

namespace steepest::testing {

class TinyRun {
public:
    explicit TinyRun(std::int64_t size = 6) {
        add(weights_, "wte.weight", Shape{size, 2});
        add(weights_, "ln_f.bias", Shape{3});
        add(optimizer_, "wte.weight/estimator/m", Shape{size, 2});
        add(optimizer_, "wte.weight/estimator/v", Shape{size, 2});
    }
    Tensors weights() const { return weights_; }
    Tensors optimizer() const { return optimizer_; }
    std::vector<NamedTensor>& weight_list() { return weights_; }
    std::vector<NamedTensor>& optimizer_list() { return optimizer_; }

    // Element i of tensor t at `step`: distinct, and random mantissas.
    static float value(std::int64_t step, std::size_t t, std::int64_t i) {
        return 1.0f / static_cast<float>(1 + step * 1000003 + static_cast<std::int64_t>(t) * 1009 + i);
    }
    void set(std::int64_t step) {
        each([&](float& x, std::size_t t, std::int64_t i) { x = value(step, t, i); });
    }
    // Whether all values, weights alone or the optimizer's too, are of this step.
    bool is_at(std::int64_t step, bool optimizer_too = true) {
        bool good = true;
        each([&](float& x, std::size_t t, std::int64_t i) {
            if (optimizer_too || t < weights_.size()) good &= x == value(step, t, i);
        });
        return good;
    }
    static RunState state(std::int64_t step) {
        return {.step = step,
                .tokens = step * 4096,
                .gradients = 2 * step,
                .model_flops = 0.1 * static_cast<double>(step),
                .optimizer_flops = 1e300 / 3,
                .bad_steps = 3,
                .consecutive_bad_steps = 1,
                .first_loss = 1.0 / 7,
                .consecutive_lost_steps = 2,
                .log_offset = 1234567890123,
                .data_hash = 0xfedcba9876543210,
                .config_fingerprint = "c0ffee",
                .train_seconds = 1.0 / 3,
                .eval_seconds = 0.1,
                .wall_seconds = 1e-9};
    }

private:
    void add(std::vector<NamedTensor>& list, const std::string& name, Shape shape) {
        memory_.push_back(std::make_unique<std::vector<float>>(shape.count(), 0.0f));
        list.push_back({name, Tensor(memory_.back()->data(), DType::f32, shape)});
    }
    void each(auto&& f) {
        for (std::size_t t = 0; t < memory_.size(); ++t)
            for (std::size_t i = 0; i < memory_[t]->size(); ++i) f((*memory_[t])[i], t, static_cast<std::int64_t>(i));
    }

    std::vector<std::unique_ptr<std::vector<float>>> memory_;
    std::vector<NamedTensor> weights_, optimizer_;
};

class CheckpointTest : public TemporaryFolder {
protected:
    Checkpoints checkpoints(int keep = 0) { return Checkpoints(path("checkpoints"), &cpu_, keep, logger_); }
    std::string save(TinyRun& run, std::int64_t step, int keep = 0) {
        run.set(step);
        return checkpoints(keep).save(TinyRun::state(step), run.weights(), run.optimizer());
    }
    std::optional<RunState> load(TinyRun& run) { return checkpoints().load_latest(run.weights(), run.optimizer()); }

    // What was logged since the last call.
    std::string warnings() {
        std::string text = log_.str();
        log_.str("");
        return text;
    }
    std::vector<std::string> steps() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(path("checkpoints")))
            all.push_back(entry.path().filename().string());
        std::sort(all.begin(), all.end());
        return all;
    }

private:
    Cpu cpu_{1};
    std::ostringstream log_;
    spdlog::logger logger_{"test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)};
};

}  // namespace steepest::testing
