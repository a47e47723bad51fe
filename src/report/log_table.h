#pragma once
// Logs as one wide table, for what reads CSV: a row a training step or evaluation, a column a field.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace steepest::report {

struct NamedLog {
    std::string name;    // the run's folder; its path where two have one name
    std::string folder;  // of the run; empty for a lone log file
    std::string log;     // path
};
// Of run directories, log files and folders of runs, each once. Throws InputError for what is none of them.
std::vector<NamedLog> find_logs(const std::vector<std::string>& paths);

// Columns run, kind, step, then every field that some line has, in order of appearance; nested ones as lr.matrices and
// time.step_ms. RFC 4180, numbers as the log has them; empty where a line lacks the field or it was not finite. `out`
// gets the text line by line. Throws InputError for a line that is none of a log's.
void write_log_csv(const std::vector<NamedLog>& logs, const std::function<void(std::string_view)>& out);

}  // namespace steepest::report
