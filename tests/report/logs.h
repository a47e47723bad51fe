#pragma once
// Run directories written by hand, for tests of what reads them.
#include "report/run_record.h"
#include "report/table.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace steepest::report {

// A folder of this test's own, gone after it.
class RunTest : public ::testing::Test {
protected:
    RunTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        root_ = ::testing::TempDir() + "steepest-" + std::to_string(::getpid()) + "-" + info->test_suite_name() + "-" +
                info->name();
        std::filesystem::remove_all(root_);
        std::filesystem::create_directories(root_);
    }
    ~RunTest() override { std::filesystem::remove_all(root_); }

    std::string path(const std::string& name) const { return root_ + "/" + name; }
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name), std::ios::binary) << text;
        return path(name);
    }
    // The run directory `name` with this log.
    std::string run(const std::string& name, const std::string& log) const {
        write(name + "/log.jsonl", log);
        return path(name);
    }

private:
    std::string root_;
};

// Of 400 planned steps; 1.5 MiB of optimizer state.
inline std::string start_line(const std::string& run, const std::string& optimizer) {
    return R"({"kind":"start","step":0,"run":")" + run + R"(","model":"nano","optimizer":")" + optimizer +
           R"(","parameters":818048,"steps":400,"tokens_per_step":4096,"seed":1,"optimizer_state_bytes":1572864,)" +
           R"("time":{"at":"2026-11-22T23:30:00Z"}})" + "\n";
}
// 10 tokens, `gradients_a_step` gradients, 100 + 8 FLOPs and half a second a step; wall time is 2 more. NaN: null.
inline std::string eval_line(std::int64_t step, double loss, int gradients_a_step = 1) {
    const auto n = [](double value) { return value == value ? shortest(value) : "null"; };
    const double s = static_cast<double>(step);
    return R"({"kind":"eval","step":)" + n(s) + R"(,"tokens":)" + n(10 * s) + R"(,"gradients":)" +
           n(gradients_a_step * s) + R"(,"model_flops":)" + n(100 * s) + R"(,"optimizer_flops":)" + n(8 * s) +
           R"(,"split":"validation","loss":)" + n(loss) + (loss == loss ? "" : R"(,"nonfinite":true)") +
           R"(,"eval_tokens":65536,"time":{"eval_s":0.4,"train_s":)" + n(s / 2) + R"(,"wall_s":)" + n(s / 2 + 2) +
           "}}\n";
}
inline std::string train_line(std::int64_t step, double loss, double step_ms = 100, double optimizer_ms = 5) {
    const double s = static_cast<double>(step);
    return R"({"kind":"train","step":)" + shortest(s) + R"(,"tokens":)" + shortest(10 * s) + R"(,"gradients":)" +
           shortest(s) + R"(,"model_flops":)" + shortest(100 * s) + R"(,"optimizer_flops":)" + shortest(8 * s) +
           R"(,"loss":)" + (loss == loss ? shortest(loss) : R"(null,"nonfinite":true,"skipped":true)") +
           R"(,"grad_norm":1,"clip":1,"lr":{"all":0.001},"data_hash":"0","time":{"step_ms":)" + shortest(step_ms) +
           R"(,"optimizer_ms":)" + shortest(optimizer_ms) + R"(,"train_s":)" + shortest(s / 2) + R"(,"wall_s":)" +
           shortest(s / 2 + 2) + "}}\n";
}
inline std::string end_line(std::int64_t step, const std::string& reason) {
    return R"({"kind":"end","step":)" + std::to_string(step) + R"(,"reason":")" + reason + R"(","time":{}})" + "\n";
}

// The message of what `f` throws, which must be a Failure.
template <class Failure>
std::string message_of(auto&& f) {
    try {
        f();
    } catch (const Failure& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace steepest::report
