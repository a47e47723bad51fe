#pragma once
// One line of a run's log.jsonl as numbers. The only place in this folder that knows the log's keys.
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace steepest::report {

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

struct LogLine {
    enum class Kind { start, train, eval, resume, end, other };

    struct Start {
        std::string run, model, optimizer, device, commit;
        std::string init, data;  // hashes of the initial weights and of the training data
        std::int64_t parameters = 0, steps = 0, tokens_per_step = 0, seed = 0;
        std::int64_t optimizer_state_bytes = -1;  // -1: the log does not say
    };

    Kind kind = Kind::other;
    std::int64_t step = 0;  // updates done
    // Totals since the start of the run, of train and eval lines.
    double tokens = 0, gradients = 0;  // whole numbers
    double model_flops = 0, optimizer_flops = 0;
    double loss = kUnknown;  // nats a token; NaN where it was not finite
    bool skipped = false;    // a bad step, which changed nothing
    std::string split;       // of an eval line
    std::string reason;      // of an end line
    Start start;             // of a start line
    // From "time"; NaN where absent.
    double step_ms = kUnknown, optimizer_ms = kUnknown;
    double train_s = kUnknown;  // evaluation excluded
    double wall_s = kUnknown;
};

// Parses line by line with simdjson, whose buffers are kept between lines. One a thread.
class LogParser {
public:
    LogParser();
    ~LogParser();
    // Nothing where `text` is not JSON at all (a line cut off while it was written). Throws InputError that begins with
    // "path:number: " where it is JSON but no line of a run log: no "kind", or a field missing or of the wrong type. A
    // kind this program does not know is `other`.
    std::optional<LogLine> parse(std::string_view text, const std::string& path, std::int64_t number);

private:
    struct Buffers;
    std::unique_ptr<Buffers> buffers_;
};

}  // namespace steepest::report
