#pragma once
// Whether a run is another's replay: the lines of its log against the original's, one by one as they come.
#include "core/file.h"
#include "core/json.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace steepest {

// All that was to be compared was: the original's log ends here, without an "end". No error; it stops a training run.
struct OriginalEnded {};

// What is left out: "time" objects, lines of kind "resume", an "end" that says "interrupted", and, of the start line,
// the run's name and the number of steps it announced.
class ReplayCheck {
public:
    // `original` and `replay` are run directories; the replay's name is for error texts. Throws InputError if the
    // original has no log, or one that is no log.
    ReplayCheck(std::string original, std::string replay);

    // The replay's next line. Throws DifferenceError that names the step and the fields that differ, with both values;
    // OriginalEnded once there is nothing left to compare with; InputError for a broken line of the original.
    void take(const Json& line);
    // After the replay's last line. Throws DifferenceError if the original goes on.
    void finish();
    // All whole lines of a log at `path`, then finish().
    void take_log(const std::string& path);

    std::int64_t lines_compared() const { return compared_; }
    // The last step of what was compared.
    std::int64_t last_step() const { return last_step_; }

private:
    // The original's next line that counts; null after the last one.
    Json next();
    [[noreturn]] void fail(const Json& mine, const Json& other) const;

    std::string original_, replay_, log_path_;
    MappedFile file_;
    std::string_view rest_;
    std::int64_t number_ = 0, compared_ = 0, last_step_ = 0;
    bool ended_ = false;  // the original's "end" was compared
};

}  // namespace steepest
