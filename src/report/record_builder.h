#pragma once
// A log's lines made into a record, one by one: of a finished log, or of one that is still being written.
#include "report/run_record.h"

#include <string>
#include <vector>

namespace steepest::report {

class RecordBuilder {
public:
    // Fills `run`, whose log_path is for error texts.
    RecordBuilder(RunRecord& run, bool keep_train) : run_(&run), keep_train_(keep_train) {}

    // The line of that number, from 1. Throws InputError that names it where it cannot follow those before.
    void take(const LogLine& line, std::int64_t number);
    // What is known of all lines together: the median time of a step, the optimizer's share.
    void finish();

private:
    void in_order(std::int64_t& last, std::int64_t step, const char* kind, std::int64_t number) const;
    void take_time(const LogLine& line);

    RunRecord* run_;
    bool keep_train_;
    std::int64_t last_train_ = 0, last_eval_ = 0;
    std::vector<double> step_ms_;
    double optimizer_ms_ = 0, all_ms_ = 0;
};

}  // namespace steepest::report
