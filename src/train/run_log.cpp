#include "train/run_log.h"

#include "core/error.h"
#include "core/file.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace steepest {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
    throw StorageError(path + ": " + what + ": " + std::strerror(errno));
}

std::string free_name(const std::string& path) {
    const std::filesystem::path log(path);
    for (int i = 1;; ++i) {
        const auto name = log.parent_path() / (log.stem().string() + ".replaced-" + std::to_string(i) + ".jsonl");
        if (std::error_code ignored; !std::filesystem::exists(name, ignored)) return name.string();
    }
}

void move_away(const std::string& path, std::int64_t offset) {
    const MappedFile log(path);
    if (offset < 0 || offset > log.size())
        throw InputError(path + ": has " + std::to_string(log.size()) + " bytes; the checkpoint was written at " +
                         std::to_string(offset) + ": the log was shortened or is another run's");
    const std::string_view text = log.text();
    if (offset > 0 && text[offset - 1] != '\n')
        throw InputError(path + ": byte " + std::to_string(offset) +
                         " is inside a line; the checkpoint was written between two: the log was changed");
    if (offset == log.size()) return;
    write_file(free_name(path), text.substr(offset));
    // A new file in its place: whoever reads the old one through a map would be killed if it were shortened.
    write_file(path, text.substr(0, offset));
}

// Whether anything had to be replaced.
bool replace_nonfinite(Json& json) {
    if (json.is_number_float() && !std::isfinite(json.get<double>())) {
        json = nullptr;
        return true;
    }
    bool any = false;
    if (json.is_structured())
        for (Json& child : json) any |= replace_nonfinite(child);
    return any;
}

}  // namespace

RunLog::RunLog(std::string path, std::int64_t offset) : path_(std::move(path)), offset_(offset) {
    std::error_code ignored;
    const bool fresh = !std::filesystem::exists(path_, ignored);
    if (fresh && offset > 0)
        throw InputError(path_ + ": is missing; the checkpoint was written at byte " + std::to_string(offset) +
                         " of it");
    if (!fresh) move_away(path_, offset);
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(path_, "cannot write");
    try {
        sync();
        if (fresh) {
            const std::string parent = std::filesystem::path(path_).parent_path().string();
            sync_folder(parent.empty() ? "." : parent);
        }
    } catch (...) {
        ::close(descriptor_);
        throw;
    }
}

RunLog::~RunLog() { ::close(descriptor_); }

void RunLog::write(Json line) {
    if (broken_) throw StorageError(path_ + ": cannot write: an earlier write failed half-way");
    Json time;
    if (const auto found = line.find("time"); found != line.end()) {
        time = std::move(*found);
        line.erase(found);
    }
    if (replace_nonfinite(line)) line["nonfinite"] = true;
    if (!time.is_null()) {
        if (replace_nonfinite(time)) time["nonfinite"] = true;
        line["time"] = std::move(time);
    }
    const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";

    for (std::size_t done = 0; done < text.size();) {
        const ssize_t n = ::write(descriptor_, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int reason = errno;
            broken_ = ::ftruncate(descriptor_, offset_) != 0;
            errno = reason;
            fail(path_, "cannot write");
        }
        done += n;
    }
    offset_ += static_cast<std::int64_t>(text.size());
    for (const auto& watcher : watchers_) watcher(line);
}

void RunLog::sync() {
    if (::fsync(descriptor_) != 0) fail(path_, "cannot make it durable");
}

std::string without_time(std::string_view line) {
    Json json = parse_json(line, "log line");
    if (!json.is_object()) throw InputError("log line: is " + brief(json) + "; expected an object");
    json.erase("time");
    return json.dump();
}

}  // namespace steepest
