#include "core/file.h"

#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace steepest {

namespace {

// Small writes are gathered up to this size; larger ones go straight to the system.
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

[[noreturn]] void fail_reading(const std::string& path, const std::string& what, int error) {
    throw InputError(path + ": " + what + ": " + std::strerror(error));
}
[[noreturn]] void fail_writing(const std::string& path, const std::string& what, int error) {
    throw StorageError(path + ": " + what + ": " + std::strerror(error));
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

std::string parent_of(const std::string& path) {
    const std::string parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

// A name no other writer has: the process, and a count within it.
std::string temporary_beside(const std::string& path) {
    static std::atomic<unsigned> count{0};
    return path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

}  // namespace

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {
    // O_NONBLOCK: opening a named pipe must fail below and not wait for a writer.
    const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) fail_reading(path_, "cannot open", errno);
    struct stat info;
    if (::fstat(file.get(), &info) != 0) fail_reading(path_, "cannot read its size", errno);
    if (S_ISDIR(info.st_mode)) fail_reading(path_, "cannot read", EISDIR);
    if (!S_ISREG(info.st_mode)) throw InputError(path_ + ": cannot read: not a regular file");
    if (info.st_size == 0) return;
    void* data = ::mmap(nullptr, info.st_size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) fail_reading(path_, "cannot map " + std::to_string(info.st_size) + " bytes", errno);
    data_ = static_cast<const std::byte*>(data), size_ = info.st_size;
}

MappedFile::~MappedFile() {
    if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_(temporary_beside(path_)) {
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail_writing(path_, "cannot write", errno);
    buffer_.reserve(kBufferBytes);
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::int64_t bytes) {
    const auto* from = static_cast<const std::byte*>(data);
    if (buffer_.size() + bytes > kBufferBytes) flush();
    if (static_cast<std::size_t>(bytes) > kBufferBytes)
        write_through(from, bytes);
    else
        buffer_.insert(buffer_.end(), from, from + bytes);
    size_ += bytes;
}

void AtomicFile::flush() {
    write_through(buffer_.data(), static_cast<std::int64_t>(buffer_.size()));
    buffer_.clear();
}

void AtomicFile::write_through(const std::byte* data, std::int64_t bytes) {
    while (bytes > 0) {
        const ssize_t n = ::write(descriptor_, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_writing(path_, "cannot write", errno);
        data += n, bytes -= n;
    }
}

void AtomicFile::commit() {
    flush();
    if (::fsync(descriptor_) != 0) fail_writing(path_, "cannot write", errno);
    // Network file systems report a full disk as late as here.
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_writing(path_, "cannot write", errno);
    rename_durably(temporary_, path_);
    temporary_.clear();
}

std::string read_file(const std::string& path) { return std::string(MappedFile(path).text()); }

void write_file(const std::string& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

void rename_durably(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) fail_writing(to, "cannot rename " + from + " to it", errno);
    sync_folder(parent_of(to));
}

void sync_folder(const std::string& path) {
    const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) fail_writing(path, "cannot open", errno);
    // EINVAL: the file system has no such thing for folders, and nothing better either.
    if (::fsync(folder.get()) != 0 && errno != EINVAL) fail_writing(path, "cannot make its names durable", errno);
}

}  // namespace steepest
