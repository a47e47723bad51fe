#include "train/run_directory.h"

#include "core/error.h"
#include "core/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <unistd.h>

namespace steepest {

namespace fs = std::filesystem;

namespace {

constexpr const char *kLock = ".lock", *kTrainLog = "train.log";

bool there(const fs::path& path) {
    std::error_code ignored;
    return fs::symlink_status(path, ignored).type() != fs::file_type::not_found &&
           fs::symlink_status(path, ignored).type() != fs::file_type::none;
}

// The run whose own config.json this is; empty if it is a config like any other.
fs::path run_of_config(const std::string& config_path) {
    const fs::path config = config_path;
    if (config.filename() != "config.json") return {};
    fs::path run = config.parent_path();
    // "." and ".." have no name to add a number to.
    if (run.empty() || run.filename() == "." || run.filename() == "..")
        run = fs::absolute(config).lexically_normal().parent_path();
    return there(run / "log.jsonl") || there(run / "manifest.json") ? run : fs::path();
}

void check_name(const std::string& name) {
    const bool plain = std::ranges::none_of(name, [](unsigned char c) { return c < ' ' || c == '/' || c == 127; });
    if (name.empty() || name.front() == '.' || name.front() == '-' || !plain)
        throw InputError("run name \"" + name + "\": expected a file name that does not begin with \".\" or \"-\"");
}

// Nothing to lose in it: a run that was stopped before it wrote its config leaves a folder like this.
bool nearly_empty(const std::string& path) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path, error))
        if (entry.path().filename() != kLock && entry.path().filename() != kTrainLog) return false;
    return !error;
}

[[noreturn]] void fail(const std::string& path, const std::string& what, const std::error_code& error) {
    const std::string text = path + ": " + what + ": " + error.message();
    // A disk's fault, or a wrong path.
    for (const auto storage : {std::errc::read_only_file_system, std::errc::permission_denied,
                               std::errc::no_space_on_device, std::errc::io_error})
        if (error == storage) throw StorageError(text);
    if (error.value() == EDQUOT) throw StorageError(text);
    throw InputError(text);
}

std::string host_name() {
    std::array<char, 128> host{};
    ::gethostname(host.data(), host.size() - 1);
    return host.data();
}

std::error_code last_error() { return {errno, std::generic_category()}; }

}  // namespace

bool looks_like_run(const std::string& path) {
    return there(fs::path(path) / "config.json") || there(fs::path(path) / "log.jsonl");
}

std::optional<bool> writer_lives(const std::string& run) {
    // Asking for the lock itself would keep out a process that comes at that moment.
    std::ifstream file(run + "/" + kLock);
    std::string process, on, host;
    pid_t pid = 0;
    if (!(file >> process >> pid >> on >> host) || pid <= 0 || host != host_name()) return std::nullopt;
    return ::kill(pid, 0) == 0 || errno == EPERM;
}

std::string run_path(const RunRequest& request) {
    // A resolved config may carry the name of its own run.
    const fs::path original = run_of_config(request.config_path);
    if (!original.empty() && (request.name.empty() || request.name == original.filename())) {
        if (request.resume) return original.string();
        for (int i = 1;; ++i)
            if (const fs::path replay = original.string() + "-replay-" + std::to_string(i); !there(replay))
                return replay.string();
    }
    const std::string name = !request.name.empty()
                                 ? request.name
                                 : fs::path(request.config_path).stem().string() + "-s" + std::to_string(request.seed);
    check_name(name);
    return (fs::path(request.runs) / name).string();
}

RunDirectory::RunDirectory(const RunRequest& request) : path_(run_path(request)) {
    std::error_code error;
    const fs::path parent = fs::path(path_).parent_path();
    if (!parent.empty() && !fs::create_directories(parent, error) && error)
        fail(parent.string(), "cannot make the folder for runs", error);
    const bool fresh = fs::create_directory(path_, error);
    if (error && !there(path_)) fail(path_, "cannot make the run's folder", error);
    if (!fresh) check_usable(request);
    try {
        lock();
        if (!fresh && request.overwrite && !request.resume) clear();
        sync_folder(parent.empty() ? "." : parent.string());
    } catch (...) {
        if (lock_ >= 0) ::close(lock_);
        if (fresh) fs::remove(path_ + "/" + kLock, error), fs::remove(path_, error);
        throw;
    }
    resumed_ = !fresh && request.resume;
}

RunDirectory::~RunDirectory() { ::close(lock_); }

std::string RunDirectory::name() const { return fs::path(path_).filename().string(); }

void RunDirectory::check_usable(const RunRequest& request) const {
    std::error_code error;
    if (!fs::is_directory(path_, error)) throw InputError(path_ + ": exists and is no folder; choose another name");
    if (!request.resume && !request.overwrite)
        throw InputError(path_ +
                         ": exists; --resume goes on from its last checkpoint, --overwrite deletes it, "
                         "--set name=NAME makes another");
    if (!looks_like_run(path_) && !nearly_empty(path_))
        throw InputError(path_ +
                         ": has neither config.json nor log.jsonl, so it is no run: it is neither resumed nor deleted");
}

// A lock of the system, so that it goes with the process however that ends. The text is for people.
void RunDirectory::lock() {
    const std::string file = path_ + "/" + kLock;
    lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock_ < 0) fail(path_, "cannot write in the run's folder", last_error());
    std::array<char, 256> text{};
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) fail(file, "cannot lock", last_error());
        const ssize_t n = ::pread(lock_, text.data(), text.size() - 1, 0);
        throw InputError(path_ + ": another process is writing this run" +
                         (n > 0 ? " (" + std::string(text.data()) + ")" : ""));
    }
    const std::string owner = "process " + std::to_string(::getpid()) + " on " + host_name();
    if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, owner.data(), owner.size(), 0) < 0)
        fail(file, "cannot write", last_error());
}

// What makes the folder a run goes last, so that a deletion cut short can be repeated.
void RunDirectory::clear() const {
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(path_))
        if (entry.path().filename() != kLock) entries.push_back(entry.path());
    std::ranges::stable_partition(
        entries, [](const fs::path& p) { return p.filename() != "config.json" && p.filename() != "log.jsonl"; });
    for (const fs::path& entry : entries) {
        std::error_code error;
        fs::remove_all(entry, error);
        if (error) fail(entry.string(), "cannot delete", error);
    }
}

void RunDirectory::write_config(const Json& config) const { write_file(config_path(), config.dump(4) + "\n"); }
void RunDirectory::write_manifest(const Json& manifest) const { write_file(manifest_path(), manifest.dump(4) + "\n"); }

}  // namespace steepest
