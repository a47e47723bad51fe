#pragma once
// A run that may still be going on, followed through its log.
#include "report/record_builder.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace steepest::report {

class LiveRun {
public:
    // `path` is a run directory or a log file; the log may not be there yet. Only ever reads.
    explicit LiveRun(const std::string& path);
    LiveRun(const LiveRun&) = delete;
    LiveRun& operator=(const LiveRun&) = delete;

    // Reads what was written since the last call and gives the new lines. Where the log went back to a checkpoint, it
    // is read anew, and the new lines are those from the resumption on. Throws InputError for what is no run log.
    std::vector<LogLine> update();

    const RunRecord& record() const { return run_; }
    // The last training line; nothing before the first.
    const std::optional<LogLine>& last() const { return last_; }
    // Seconds to the last step at the pace of the last steps, evaluations included; NaN where there is none yet.
    double seconds_left() const;

private:
    void reset();
    // Whole lines from `offset_` on.
    void take(std::string_view text, std::vector<LogLine>& news);

    std::string path_, log_path_;
    RunRecord run_;
    std::optional<RecordBuilder> builder_;
    LogParser parser_;
    std::optional<LogLine> last_;
    std::int64_t offset_ = 0, number_ = 0;
    std::string tail_;  // the last line read: if it is no longer where it was, the log was cut and written anew
};

// For a pipe: one line that says what a line of the log does; empty for kinds that say nothing of progress.
std::string progress_line(const LogLine& line, const RunRecord& run);

struct LiveStyle {
    int width = 100, height = 24;  // terminal cells
    bool colour = false, braille = false;
};
// For a terminal: what the run is, its `status`, its losses as a plot, the last step; in fewer than `height` lines.
std::string live_view(const LiveRun& live, const std::string& status, const LiveStyle& style);

}  // namespace steepest::report
