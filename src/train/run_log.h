#pragma once
// log.jsonl: the record of a run that everything else is drawn from. One JSON object a line; a line is one write().
// What depends on the clock is in "time", the last key; the rest is the same for a replay, bit for bit.
#include "core/json.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace steepest {

class RunLog {
public:
    // Opens or makes the file and keeps its first `offset` bytes. Whatever follows them, half a line of a crash too, is
    // moved to log.replaced-N.jsonl beside it, with the first N that is free, durably before it is cut off here.
    // Throws InputError if `offset` is past the end or within a line, StorageError.
    explicit RunLog(std::string path, std::int64_t offset = 0);
    RunLog(const RunLog&) = delete;
    RunLog& operator=(const RunLog&) = delete;
    ~RunLog();

    // Appends one line, "time" last. Numbers that are not finite become null with "nonfinite": true beside them (in
    // "time" if they are there). Floats should come through json_number(). Throws StorageError; then the file holds
    // whole lines only, unless the disk failed at that too: then every later call throws as well.
    void write(Json line);
    // From now on `watcher` gets every line as it was written, once it is in the file; what it throws comes out of
    // write().
    void watch(std::function<void(const Json&)> watcher) { watchers_.push_back(std::move(watcher)); }
    // Makes all lines durable: before a checkpoint that refers to them, and at the end.
    void sync();
    // Bytes so far; always between two lines.
    std::int64_t offset() const { return offset_; }

private:
    std::string path_;
    int descriptor_ = -1;
    std::int64_t offset_ = 0;
    bool broken_ = false;
    std::vector<std::function<void(const Json&)>> watchers_;
};

// The line without "time", in one spelling: two runs are the same if this is equal line by line. Throws InputError if
// it is no JSON object.
std::string without_time(std::string_view line);

}  // namespace steepest
