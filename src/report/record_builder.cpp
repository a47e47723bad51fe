#include "report/record_builder.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>

namespace steepest::report {

namespace {

std::string at(const RunRecord& run, std::int64_t number) { return run.log_path + ":" + std::to_string(number) + ": "; }

RunStatus status_of(const std::string& reason, const std::string& where) {
    if (reason == "done") return RunStatus::done;
    if (reason == "diverged") return RunStatus::diverged;
    if (reason == "interrupted") return RunStatus::interrupted;
    throw InputError(where + "\"reason\" is \"" + reason + "\"; expected done, diverged or interrupted");
}

double median(std::vector<double>& values) {
    if (values.empty()) return kUnknown;
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

void RecordBuilder::take(const LogLine& line, std::int64_t number) {
    RunRecord& run = *run_;
    run.last_step = std::max(run.last_step, line.step);
    switch (line.kind) {
        case LogLine::Kind::start:
            run.start = line.start;
            break;
        case LogLine::Kind::train:
            in_order(last_train_, line.step, "train", number);
            if (keep_train_) run.train.add(line);
            run.skipped_steps += line.skipped;
            take_time(line);
            break;
        case LogLine::Kind::eval:
            if (line.split != "validation") return;
            in_order(last_eval_, line.step, "eval", number);
            run.eval.add(line);
            break;
        case LogLine::Kind::resume:
            ++run.resumes, run.status = RunStatus::unfinished;
            break;
        case LogLine::Kind::end:
            run.status = status_of(line.reason, at(run, number));
            break;
        case LogLine::Kind::other:
            break;
    }
}

void RecordBuilder::finish() {
    run_->step_ms_median = median(step_ms_);
    if (all_ms_ > 0) run_->optimizer_share = optimizer_ms_ / all_ms_;
}

void RecordBuilder::in_order(std::int64_t& last, std::int64_t step, const char* kind, std::int64_t number) const {
    if (step < last)
        throw InputError(at(*run_, number) + "step " + std::to_string(step) + " of " + kind + " comes after step " +
                         std::to_string(last) + ": the log is not one curve");
    last = step;
}

void RecordBuilder::take_time(const LogLine& line) {
    if (!std::isfinite(line.step_ms)) return;
    step_ms_.push_back(line.step_ms);
    if (std::isfinite(line.optimizer_ms)) optimizer_ms_ += line.optimizer_ms, all_ms_ += line.step_ms;
}

}  // namespace steepest::report
