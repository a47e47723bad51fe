#pragma once
// TensorBoard's event file: what a run's log says, as scalars. It holds nothing that log.jsonl does not, so that after
// a crash it is made again from the log instead of being repaired.
//
// Format: TFRecords (tensorflow/core/lib/io/record_writer.h) of Event messages (tensorflow/core/util/event.proto).
#include "core/json.h"

#include <string>
#include <string_view>

namespace steepest {

class EventFile {
public:
    // Replaces what is there. TensorBoard takes files whose names hold "tfevents". Throws StorageError.
    explicit EventFile(std::string path);
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;
    ~EventFile();

    // A line of log.jsonl: of train lines loss/train, learning_rate/GROUP, gradient_norm and tokens_per_second, of eval
    // lines loss/SPLIT; other kinds have no scalars. The time of an event is that of the start line plus the line's
    // wall_s. Throws StorageError.
    void add(const Json& line);
    // All whole lines of a log. Throws InputError that names the line which is no JSON.
    void add_log(const std::string& path);

private:
    void write_record(std::string_view event);

    std::string path_;
    int descriptor_ = -1;
    double started_ = 0;  // seconds since 1970 of the start line
};

}  // namespace steepest
