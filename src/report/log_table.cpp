#include "report/log_table.h"

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "report/csv.h"
#include "report/run_record.h"

#include <filesystem>
#include <map>
#include <set>
#include <utility>

namespace steepest::report {

namespace {

namespace fs = std::filesystem;

using Cells = std::vector<std::pair<std::string, std::string>>;

void flatten(const Json& json, const std::string& name, Cells& out) {
    if (json.is_object()) {
        for (const auto& [key, value] : json.items()) flatten(value, name.empty() ? key : name + "." + key, out);
        return;
    }
    const std::string text = json.is_string() ? json.get<std::string>() : json.is_null() ? "" : json.dump();
    out.emplace_back(name, quoted(text));
}

// Every whole train and eval line of a log.
void for_each_row(const std::string& path, const std::function<void(const Cells&)>& visit) {
    const MappedFile file(path);
    std::string_view rest = file.text();
    Cells cells;
    for (std::int64_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos) return;
        const Json line = Json::parse(rest.substr(0, end), nullptr, /*allow_exceptions=*/false);
        rest.remove_prefix(end + 1);
        const auto kind = line.is_object() ? line.find("kind") : line.end();
        if (kind == line.end() || !kind->is_string())
            throw InputError(path + ":" + std::to_string(number) + ": not a line of a run log");
        if (*kind != "train" && *kind != "eval") continue;
        cells.clear();
        flatten(line, "", cells);
        visit(cells);
    }
}

}  // namespace

std::vector<NamedLog> find_logs(const std::vector<std::string>& paths) {
    std::vector<NamedLog> logs;
    std::set<std::string> seen;
    for (const std::string& path : paths)
        for (const std::string& run : find_runs(path)) {
            const bool folder = fs::is_directory(run);
            const std::string log = folder ? run + "/log.jsonl" : run;
            if (!fs::exists(log)) throw InputError(run + ": no such run directory or log file");
            const fs::path real = fs::weakly_canonical(log);
            if (!seen.insert(real.string()).second) continue;
            logs.push_back(
                {folder ? real.parent_path().filename().string() : real.stem().string(), folder ? run : "", log});
        }
    std::map<std::string, int> uses;
    for (const NamedLog& log : logs) ++uses[log.name];
    for (NamedLog& log : logs)
        if (uses[log.name] > 1) log.name = log.folder.empty() ? log.log : log.folder;
    return logs;
}

void write_log_csv(const std::vector<NamedLog>& logs, const std::function<void(std::string_view)>& out) {
    std::vector<std::string> columns = {"run", "kind", "step"};
    std::map<std::string, std::size_t> place;
    for (std::size_t c = 0; c < columns.size(); ++c) place[columns[c]] = c;
    for (const NamedLog& log : logs)
        for_each_row(log.log, [&](const Cells& cells) {
            for (const auto& [name, value] : cells)
                if (place.try_emplace(name, columns.size()).second) columns.push_back(name);
        });
    const auto line = [&out](const std::vector<std::string>& cells) {
        std::string text;
        for (const std::string& cell : cells) text += (text.empty() ? "" : ",") + cell;
        out(text + "\n");
    };
    std::vector<std::string> header;
    for (const std::string& name : columns) header.push_back(quoted(name));
    line(header);
    for (const NamedLog& log : logs)
        for_each_row(log.log, [&](const Cells& cells) {
            std::vector<std::string> row(columns.size());
            row[0] = quoted(log.name);
            for (const auto& [name, value] : cells) row[place.at(name)] = value;
            line(row);
        });
}

}  // namespace steepest::report
